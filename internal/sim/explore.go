//go:build tandem_sim

package sim

import (
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var (
	seedFlag = flag.Uint64("seed", 0, "sim: run this seed alone, with its trace")
	runsFlag = flag.Int("runs", 0, "sim: how many seeds each test tries")
)

// Explore runs build's world with seeds 1 to n, and fails the test at the
// first that fails, which it runs again to show its last steps.
func Explore(tb testing.TB, n int, o Options, build func(*World)) {
	tb.Helper()
	if err := Try(n, o, build); err != nil {
		tb.Fatal(err)
	}
}

// Try is Explore for a test that expects a failure: it returns it.
func Try(n int, o Options, build func(*World)) error {
	if *runsFlag != 0 {
		n = *runsFlag
	}
	first, last := uint64(1), uint64(n)
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	start, steps, kills := time.Now(), 0, 0
	for seed := first; seed <= last; seed++ {
		w := New(seed, o)
		build(w)
		err := w.Run()
		steps += w.steps
		kills += w.kills
		if err != nil || *seedFlag != 0 {
			w := New(seed, o)
			w.trace = &trace{}
			build(w)
			if again := w.Run(); (again == nil) != (err == nil) {
				return fmt.Errorf("%w\nand its repetition: %v (the test is not a function of its seed)", err, again)
			}
			if err == nil {
				fmt.Println(w.trace)
				continue
			}
			return fmt.Errorf("%w\nrepeat it with -seed %d; its last steps:\n%v", err, seed, w.trace)
		}
	}
	if testing.Verbose() {
		d := time.Since(start)
		fmt.Printf("    %d runs, %d steps and %d kills a run on average, %.0f runs a minute\n",
			n, steps/max(n, 1), kills, float64(n)/d.Minutes())
	}
	return nil
}

// A trace keeps the last steps of a run: which thread, at which line.
type trace struct {
	lines []string
}

const traceLines = 150

func (tr *trace) add(s string) {
	tr.lines = append(tr.lines, s)
	if len(tr.lines) > 2*traceLines {
		tr.lines = append(tr.lines[:0], tr.lines[len(tr.lines)-traceLines:]...)
	}
}

func (tr *trace) String() string {
	return strings.Join(tr.lines[max(0, len(tr.lines)-traceLines):], "\n")
}

// here notes the engine's line that is about to access memory.
func (tr *trace) here(w *World, t *Thread) {
	var pcs [12]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	at := ""
	for n := 0; n < 3; {
		f, more := frames.Next()
		if strings.Contains(f.Function, "/engine") || strings.HasSuffix(f.File, "_test.go") {
			at += fmt.Sprintf(" %s:%d", filepath.Base(f.File), f.Line)
			n++
		}
		if !more {
			break
		}
	}
	tr.add(fmt.Sprintf("%6d %-20v%s", w.steps, t, at))
}

// Note adds a line to the trace of a run that is shown.
func (t *Thread) Note(format string, a ...any) {
	if t.w.trace != nil {
		t.w.note(t.p, t.Name+": "+fmt.Sprintf(format, a...))
	}
}

func (w *World) note(p *Process, s string) {
	if w.trace != nil {
		w.trace.add(fmt.Sprintf("%6d        %v %s", w.steps, p, s))
	}
}
