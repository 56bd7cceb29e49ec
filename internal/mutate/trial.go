package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// A trial tries rows.
type trial struct {
	root  string
	limit time.Duration
	out   io.Writer

	mu    sync.Mutex
	plain map[string]func() verdict // of each test, without a mutation
}

// A verdict is what became of a test.
type verdict struct {
	what string
	text string // what the test or the compiler printed, where it matters
}

// What can become of a test without a mutation, and of a row.
const (
	killed  = "killed"
	hung    = "hung" // and so killed
	lived   = "LIVED"
	stale   = "STALE"
	unbuilt = "DOES NOT BUILD"
	none    = "RAN NO TEST"
	sick    = "FAILS UNMUTATED"
	stopped = "stopped" // by the user
)

// run tries the rows, j at a time, prints a line for each, and returns the
// exit status.
func (t *trial) run(ctx context.Context, rows []mutation, j int) int {
	counts := map[string]int{}
	begun := time.Now()
	var turns sync.WaitGroup
	next := make(chan mutation)
	for range j {
		turns.Go(func() {
			for m := range next {
				start := time.Now()
				v := t.try(ctx, m)
				t.mu.Lock()
				counts[v.what]++
				fmt.Fprintf(t.out, "%-7s %5.1fs  %s: %s\n", v.what, time.Since(start).Seconds(), m.file, m.promise)
				if v.what != killed && v.what != hung {
					fmt.Fprintf(t.out, "\t%q becomes %q\n\tgo test %s\n%s", m.from, m.to, strings.Join(t.args(m), " "), indent(v.text))
				}
				t.mu.Unlock()
			}
		})
	}
	for _, m := range rows {
		next <- m
	}
	close(next)
	turns.Wait()
	good := counts[killed] + counts[hung]
	fmt.Fprintf(t.out, "%d of %d killed in %.0f s", good, len(rows), time.Since(begun).Seconds())
	for _, what := range []string{lived, stale, unbuilt, none, sick, stopped} {
		if n := counts[what]; n > 0 {
			fmt.Fprintf(t.out, ", %d %s", n, what)
		}
	}
	fmt.Fprintln(t.out)
	if good != len(rows) {
		return 1
	}
	return 0
}

// try tries one row: first the test as it is, which must pass.
func (t *trial) try(ctx context.Context, m mutation) verdict {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return verdict{stale, err.Error()}
	}
	defer os.RemoveAll(dir)
	list, err := m.overlay(t.root, dir)
	if err != nil {
		return verdict{stale, err.Error()}
	}
	if v := t.unmutated(ctx, m); v.what != lived {
		return v
	}
	return t.test(ctx, m, list)
}

// unmutated is what the row's test says of the code as it is: lived, if all is
// well. Rows with the same test share one run of it.
func (t *trial) unmutated(ctx context.Context, m mutation) verdict {
	key := fmt.Sprintf("%q", t.args(m)) + fmt.Sprintf("%q", m.env)
	t.mu.Lock()
	f := t.plain[key]
	if f == nil {
		if t.plain == nil {
			t.plain = map[string]func() verdict{}
		}
		f = sync.OnceValue(func() verdict {
			v := t.test(ctx, m, "")
			if v.what == killed || v.what == hung {
				v.what = sick
			}
			return v
		})
		t.plain[key] = f
	}
	t.mu.Unlock()
	return f()
}

func (t *trial) args(m mutation) []string {
	a := []string{"test", "-json", "-vet=off", "-count=1", "-failfast", "-timeout=" + t.limit.String(), "-run=" + m.run}
	if m.tags != "" {
		a = append(a, "-tags="+m.tags)
	}
	return append(append(a, m.pkg), m.args...)
}

// test runs the row's test, with the files of an overlay unless it is "".
// Programs that the test builds are built with it too, by GOFLAGS.
func (t *trial) test(ctx context.Context, m mutation, overlay string) verdict {
	cmd := exec.CommandContext(ctx, "go", t.args(m)...)
	cmd.Dir = t.root
	cmd.Env = slices.Concat(os.Environ(), m.env)
	if overlay != "" {
		cmd.Env = append(cmd.Env, strings.TrimSpace("GOFLAGS="+getenv(cmd.Env, "GOFLAGS")+" -overlay="+overlay))
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends the test, too
	cmd.WaitDelay = 10 * time.Second
	defer inGroup(cmd)()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if ctx.Err() != nil {
		return verdict{what: stopped}
	}
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return verdict{unbuilt, err.Error()}
	}
	r := read(stdout)
	text := r.text + stderr.String()
	switch {
	case r.unbuilt:
		return verdict{unbuilt, text}
	case strings.Contains(text, "panic: test timed out after"), strings.Contains(text, "*** Test killed"):
		return verdict{hung, text}
	case err != nil && r.began:
		return verdict{killed, text}
	case err != nil: // go knows no such package, or flag
		return verdict{unbuilt, text}
	case r.passed == 0:
		return verdict{what: none}
	}
	return verdict{what: lived}
}

// getenv is the last value of a variable, which is the one that counts.
func getenv(env []string, name string) (value string) {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// A report is what go test -json said.
type report struct {
	began   bool // the test's program did
	unbuilt bool
	passed  int
	text    string
}

func read(stdout []byte) (r report) {
	var text strings.Builder
	for line := range bytes.Lines(stdout) {
		var e struct{ Action, Test, Output, FailedBuild string }
		if json.Unmarshal(line, &e) != nil {
			text.Write(line)
			continue
		}
		switch e.Action {
		case "start":
			r.began = true
		case "pass":
			if e.Test != "" {
				r.passed++
			}
		case "build-fail":
			r.unbuilt = true
		case "output", "build-output":
			text.WriteString(e.Output)
		}
		r.unbuilt = r.unbuilt || e.FailedBuild != ""
	}
	r.text = text.String()
	return r
}

// indent is the end of a text, as lines below a row's own.
func indent(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if lines[0] == "" {
		return ""
	}
	lines = lines[max(0, len(lines)-20):]
	return "\t\t" + strings.Join(lines, "\n\t\t") + "\n"
}
