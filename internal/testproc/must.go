package testproc

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// Must ends the child with a message if err is one.
func Must(err error) {
	if err != nil {
		fail(err) // apart, so that Must is inlined: benchmarks call it
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "child:", err)
	os.Exit(4)
}

// OK ends the test if err is an error.
func OK(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Get is what a call returns, and ends the test if that is an error:
//
//	m := testproc.Get(sync.OpenMutex(r, "m"))(t)
func Get[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Watchdog returns a context for calls that must come to an end: it lasts for
// Patience. A call that is told of its end has hung.
func Watchdog(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Timeout is the flag that ends a second run of a test binary before the test that runs it
// would be ended, and nobody told of what hangs.
func Timeout(t *testing.T) string {
	left := Patience
	if end, ok := t.Deadline(); ok {
		left = time.Until(end) * 3 / 4
	}
	return "-test.timeout=" + left.String()
}
