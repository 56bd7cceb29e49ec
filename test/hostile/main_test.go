// Package hostile_test uses regions as nobody should: with throngs of
// goroutines, closed under everything, at the ends of every range, with
// processes that stop, die and are renamed under each other.
package hostile_test

import (
	"context"
	"os"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
)

func TestMain(m *testing.M) {
	testproc.RunRole()
	proc.Main()
	os.Exit(m.Run())
}

// watchdog is a context that ends only if the test hangs.
func watchdog(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testproc.Patience)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
