package examples_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The programs that have a Python counterpart, and what both print.
var programs = []struct {
	name  string
	check func(lines []string) error
}{
	{"queue", func(lines []string) error {
		if slices.Equal(lines, []string{"[42, None, 'hello']"}) { // as Python prints it
			return nil
		}
		return exactly(lines, "[42 <nil> hello]")
	}},
	{"pipe", func(lines []string) error {
		if slices.Equal(lines, []string{"[42, None, 'hello']"}) { // as Python prints it
			return nil
		}
		return exactly(lines, "[42 <nil> hello]")
	}},
	{"lock", func(lines []string) error {
		var want []string
		for i := range 10 {
			want = append(want, fmt.Sprint("hello world ", i))
		}
		return inAnyOrder(lines, want...)
	}},
	{"barrier", func(lines []string) error {
		if len(lines) != 9 {
			return fmt.Errorf("%d lines, want 9", len(lines))
		}
		for stage := range 3 {
			at := fmt.Sprint(" comes to barrier ", stage+1)
			if err := inAnyOrder(lines[3*stage:3*stage+3], "A"+at, "B"+at, "C"+at); err != nil {
				return err
			}
		}
		return nil
	}},
	{"semaphore", checkSemaphore},
	{"boundedsemaphore", func(lines []string) error {
		var want []string
		for i := range 6 {
			want = append(want, fmt.Sprintf("worker %d has a connection", i))
		}
		if err := inAnyOrder(lines[:max(0, len(lines)-1)], want...); err != nil {
			return err
		}
		return exactly(lines[6:], "main: one release too many is refused")
	}},
	{"condition", func(lines []string) error {
		var puts []string
		for x := 0; x < 10; x += 2 {
			puts = append(puts, fmt.Sprintf("producer: puts %d and %d", x, x+1))
		}
		return checkList(lines, puts, 2, 10)
	}},
	{"conditionlock", func(lines []string) error {
		var puts []string
		for x := range 10 {
			puts = append(puts, fmt.Sprintf("producer: puts %d", x))
		}
		return checkList(lines, puts, 1, 3)
	}},
	{"event", func(lines []string) error {
		want := []string{
			"timed: waits 0.5 s",
			"timed: gives up, the event is not set",
			"main: sets the event",
			"block: goes on, the event is set",
		}
		if err := inAnyOrder(lines, append(want, "block: waits")...); err != nil {
			return err
		}
		waits := slices.Index(lines, "block: waits") // when its process gets there
		return exactly(slices.Delete(slices.Clone(lines), waits, waits+1), want...)
	}},
	{"value", func(lines []string) error {
		for i := range lines {
			lines[i] = strings.ReplaceAll(lines[i], ",", "") // Python's list
		}
		return exactly(lines, "3.1415927", "[0 -1 -2 -3 -4 -5 -6 -7 -8 -9]")
	}},
}

// checkSemaphore: each is active once, and at most three are at a time.
func checkSemaphore(lines []string) error {
	line := regexp.MustCompile(`^(worker \d) is active, of \[((\d)(,? \d){0,2})\]$`)
	var got, want []string
	for i, l := range lines {
		m := line.FindStringSubmatch(l)
		if m == nil || !strings.Contains(m[2], strings.TrimPrefix(m[1], "worker ")) {
			return fmt.Errorf("line %d: %q", i, l)
		}
		got = append(got, m[1])
	}
	for i := range 10 {
		want = append(want, fmt.Sprint("worker ", i))
	}
	return inAnyOrder(got, want...)
}

// checkList: what is put, some items a line, is taken in order and not before,
// and there is room for so many.
func checkList(lines, puts []string, items, room int) error {
	var put, taken int
	for i, l := range lines {
		switch {
		case put < len(puts) && l == puts[put]:
			put++
		case l == fmt.Sprint("consumer: takes ", taken):
			taken++
		default:
			return fmt.Errorf("line %d: %q after %d puts and %d takes", i, l, put, taken)
		}
		if there := put*items - taken; there < 0 || there > room {
			return fmt.Errorf("line %d: %d items in the list", i, there)
		}
	}
	if put != len(puts) || taken != put*items {
		return fmt.Errorf("%d puts and %d takes", put, taken)
	}
	return nil
}

func exactly(lines []string, want ...string) error {
	if !slices.Equal(lines, want) {
		return fmt.Errorf("%q, want %q", lines, want)
	}
	return nil
}

func inAnyOrder(lines []string, want ...string) error {
	return exactly(slices.Sorted(slices.Values(lines)), slices.Sorted(slices.Values(want))...)
}

// patience is how long a program may take.
const patience = 2 * time.Minute

// run runs a program and returns the lines it prints.
func run(t *testing.T, name string, args ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=") // else Python writes a line in pieces
	cmd.WaitDelay = time.Second                         // a child that hangs has its output open
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("not done after %v; it has printed\n%s", patience, out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

func check(t *testing.T, lines []string, check func([]string) error) {
	t.Helper()
	if err := check(slices.Clone(lines)); err != nil {
		t.Errorf("%v\nit printed\n%s", err, strings.Join(lines, "\n"))
	}
}

func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	build := []string{"build", "-ldflags=-s -w", "-o", dir + "/"}
	for _, p := range programs {
		build = append(build, "./"+p.name)
	}
	run(t, "go", build...)
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			for range 3 {
				check(t, run(t, filepath.Join(dir, p.name)), p.check)
			}
		})
	}
}

// The Python beside them is what it is said to be: it prints the same.
func TestPython(t *testing.T) {
	if out, err := exec.Command("python3", "-c", "import multiprocessing as m; m.Lock()").CombinedOutput(); err != nil {
		t.Skipf("no python3 whose multiprocessing works here: %v\n%s", err, out)
	}
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			check(t, run(t, "python3", python(p.name)), p.check)
		})
	}
}

func python(name string) string { return "python/mp_" + name + ".py" }

// README.md has the programs to the letter, Python and Go in a row of a table:
// of the Go what is between the imports and must.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(b)
	for _, p := range programs {
		py, err := os.ReadFile(python(p.name))
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(p.name + "/main.go")
		if err != nil {
			t.Fatal(err)
		}
		_, core, _ := strings.Cut(string(source), "\n)\n\n")
		core, _, _ = strings.Cut(core, "\nfunc must[")
		_, section, _ := strings.Cut(readme, "\n## "+p.name+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		row := fmt.Sprintf("<td>\n\n```python\n%s```\n\n</td><td>\n\n```go\n%s```\n\n</td>", py, core)
		if !strings.Contains(section, row) {
			t.Errorf("the section %s does not have %s and %s/main.go beside each other", p.name, python(p.name), p.name)
		}
		if !strings.Contains(section, "kill -9") {
			t.Errorf("the section %s does not say what a kill -9 does", p.name)
		}
	}
}
