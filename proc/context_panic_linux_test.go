package proc_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
)

// A frail context's methods panic, from a call on.
type frail struct {
	context.Context
	done  chan struct{}
	calls *int
	good  int // calls of Done
}

func (f frail) Done() <-chan struct{} {
	if *f.calls++; *f.calls > f.good {
		panic("frail")
	}
	return f.done
}

func (f frail) AfterFunc(func()) func() bool { panic("frail") }

// offspring is this process's children, started by whichever of its threads.
func offspring(t *testing.T) (pids []string) {
	t.Helper()
	files := testproc.Get(filepath.Glob("/proc/self/task/*/children"))(t)
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil { // a thread may have gone
			pids = append(pids, strings.Fields(string(b))...)
		}
	}
	return pids
}

// Start whose context panics, at whichever call, ends with that, and leaves no child, and
// nothing that WaitAll would wait for.
func TestStartContextPanics(t *testing.T) {
	noError(t, proc.WaitAll(testproc.Watchdog(t))) // of earlier tests
	if len(offspring(t)) != 0 {
		t.Skip("there are children that no Start has made, or the kernel does not tell")
	}
	for good := range 5 {
		ctx := frail{Context: context.Background(), done: make(chan struct{}), calls: new(int), good: good}
		got := testproc.EndOf(func() {
			_, err := ends.Start(ctx, how{Do: "listen"}, nil)
			t.Errorf("Start = %v", err)
		})
		if got != "frail" {
			t.Errorf("good for %d calls: Start ends with %v", good, got)
		}
		watch := testproc.Watchdog(t)
		proc.WaitAll(watch) // which tells of the child that was killed
		noError(t, watch.Err())
		for end := time.Now().Add(testproc.Patience); len(offspring(t)) > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("good for %d calls: children %v are left", good, offspring(t))
			}
		}
	}
}
