package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each row changes a line that is there, once, and names a test that is there.
func TestRowsFit(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, a := range areas {
		for _, m := range a.rows {
			row := a.name + ": " + m.file + ": " + m.promise
			if _, err := m.apply(root); err != nil {
				t.Errorf("%s: %v", row, err)
			}
			if key := m.file + m.from + m.to + m.run; seen[key] {
				t.Errorf("%s: it is there twice", row)
			} else {
				seen[key] = true
			}
			if m.promise == "" {
				t.Errorf("%s: it breaks no promise", row)
			}
			if !testIsThere(t, filepath.Join(root, m.pkg), m.run) {
				t.Errorf("%s: there is no test %s in %s", row, m.run, m.pkg)
			}
		}
	}
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// testIsThere reports whether some test in dir, of whatever build tags, is one
// that -run would take; of names with slashes only what is before the first.
func testIsThere(t *testing.T, dir, run string) bool {
	first, _, _ := strings.Cut(run, "/")
	want, err := regexp.Compile(first)
	if err != nil || run == "" {
		t.Errorf("-run %q: %v", run, err)
		return true
	}
	return slices.ContainsFunc(testsOf(t, dir), want.MatchString)
}

var testsIn = map[string][]string{} // by directory

// testsOf returns the names of the tests in dir.
func testsOf(t *testing.T, dir string) []string {
	if names, ok := testsIn[dir]; ok {
		return names
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testFunc.FindAllSubmatch(b, -1) {
			testsIn[dir] = append(testsIn[dir], string(m[1]))
		}
	}
	return testsIn[dir]
}

// tiny is a module whose tests notice some mutations and not others.
var tiny = map[string]string{
	"go.mod": "module tiny\n\ngo 1.26\n",
	"a.go": `package tiny

func sum(n int) (s int) {
	for i := 0; i < n; i++ {
		s += i
	}
	return s
}

func unused() int { return 1 }
`,
	"a_test.go": `package tiny

import (
	"os"
	"testing"
)

func TestSum(t *testing.T) {
	if sum(4) != 6 {
		t.Error(sum(4))
	}
}

func TestSick(t *testing.T) { t.Error("whatever the code is") }

func TestSkips(t *testing.T) { t.Skip() }

func TestTold(t *testing.T) {
	if os.Getenv("TOLD") != "" && !testing.Short() && sum(4) != 6 {
		t.Error(sum(4))
	}
}
`,
	"tagged_test.go": `//go:build tagged

package tiny

import "testing"

func TestTagged(t *testing.T) { TestSum(t) }
`,
}

// Every verdict, on a module of its own, whose files stay as they are.
func TestTrial(t *testing.T) {
	root := t.TempDir()
	for name, text := range tiny {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	wrong := mutation{file: "a.go", from: "i++", to: "i += 2", pkg: ".", run: "TestSum$"}
	with := func(change func(m *mutation)) mutation {
		m := wrong
		change(&m)
		return m
	}
	patient := &trial{root: root, limit: time.Minute}
	for _, tt := range []struct {
		name string
		m    mutation
		want string
	}{
		{"noticed", wrong, killed},
		{"noticed by a tagged test", with(func(m *mutation) { m.run, m.tags = "TestTagged$", "tagged" }), killed},
		{"noticed where it is told to look", with(func(m *mutation) { m.run, m.env = "TestTold$", []string{"TOLD=1"} }), killed},
		{"not noticed, as it is not told", with(func(m *mutation) { m.run = "TestTold$" }), lived},
		{"not noticed, as an argument says", with(func(m *mutation) {
			m.run, m.env, m.args = "TestTold$", []string{"TOLD=1"}, []string{"-short"}
		}), lived},
		{"of no consequence", with(func(m *mutation) { m.from, m.to = "return 1", "return 2" }), lived},
		{"never ends", with(func(m *mutation) { m.to = "" }), hung},
		{"gone", with(func(m *mutation) { m.from = "i--" }), stale},
		{"there twice", with(func(m *mutation) { m.from = "return" }), stale},
		{"no change", with(func(m *mutation) { m.to = m.from }), stale},
		{"no such file", with(func(m *mutation) { m.file = "b.go" }), stale},
		{"no Go", with(func(m *mutation) { m.to = "i+++" }), unbuilt},
		{"no such package", with(func(m *mutation) { m.pkg = "./b" }), unbuilt},
		{"no such test", with(func(m *mutation) { m.run = "TestSub$" }), none},
		{"no such test without its tag", with(func(m *mutation) { m.run = "TestTagged$" }), none},
		{"the test does nothing", with(func(m *mutation) { m.run = "TestSkips$" }), none},
		{"the test fails in any case", with(func(m *mutation) { m.run = "TestSick$" }), sick},
	} {
		t.Run(tt.name, func(t *testing.T) {
			by := patient // so that each test is run once without a mutation
			if tt.want == hung {
				by = &trial{root: root, limit: 5 * time.Second}
			}
			var out strings.Builder
			by.out = &out
			status := by.run(t.Context(), []mutation{tt.m}, 1)
			if !strings.HasPrefix(out.String(), tt.want+" ") {
				t.Errorf("want %s: %s", tt.want, out.String())
			}
			if good := tt.want == killed || tt.want == hung; (status == 0) != good {
				t.Errorf("%s, and status %d", tt.want, status)
			}
		})
	}
	for name, text := range tiny {
		if b, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(b) != text {
			t.Errorf("%s is changed: %v", name, err)
		}
	}
	if all, _ := os.ReadDir(root); len(all) != len(tiny) {
		t.Errorf("there is more than there was: %v", all)
	}
}

// One that is stopped says so, of what is not done.
func TestTrialStopped(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out strings.Builder
	trial := &trial{root: root, limit: time.Minute, out: &out}
	if status := trial.run(ctx, engineMutations[:1], 2); status != 1 || !strings.Contains(out.String(), "1 stopped") {
		t.Errorf("status %d: %s", status, out.String())
	}
}

func TestCommand(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want int
		says string
	}{
		{[]string{"-list", "-area", "engine", "-run", "mutex.go"}, 0, "internal/engine/mutex.go: "},
		{[]string{"-list", "-area", "nowhere"}, 2, "no row"},
		{[]string{"-run", "("}, 2, "regexp"},
		{[]string{"-j", "0"}, 2, "more than 0"},
		{[]string{"engine"}, 2, "nothing follows"},
		{[]string{"-nonsense"}, 2, "nonsense"},
	} {
		var out strings.Builder
		if got := run(t.Context(), tt.args, &out, &out); got != tt.want || !strings.Contains(out.String(), tt.says) {
			t.Errorf("%q = %d, want %d: %s", tt.args, got, tt.want, out.String())
		}
	}
}
