package sys

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Two descriptions of one file, in one process, and a duplicate of the first.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(writable bool) *os.File {
		f, err := Open(path, writable)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	a, b, reader := open(true), open(true), open(false)
	dup, err := Dup(a)
	if err != nil {
		t.Fatal(err)
	}
	step := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Fatalf("%s = %v, want %v", what, err, want)
		}
	}
	test := func(f *os.File, off int64, want bool) {
		t.Helper()
		if held, err := Test(f, off); err != nil || held != want {
			t.Fatalf("Test(%d) = %v, %v, want %v", off, held, err, want)
		}
	}
	step("shared", Lock(a, 5, 1, false), nil)
	step("a second share", Lock(b, 5, 1, false), nil)
	step("exclusive beside a share", Lock(b, 5, 1, true), ErrLocked)
	test(reader, 5, true)
	test(reader, 4, false)
	step("give back", Unlock(a, 5, 1), nil)
	test(b, 5, false) // one's own is not another's
	test(a, 5, true)
	step("a share made exclusive", Lock(b, 5, 1, true), nil)
	step("shared beside exclusive", Lock(a, 5, 1, false), ErrLocked)
	step("next to it", Lock(a, 6, 1, true), nil)
	if at, held, err := FirstLocked(reader, 0, 100); at != 5 || !held || err != nil {
		t.Fatalf("FirstLocked = %d, %v, %v, want 5", at, held, err)
	}
	if at, held, err := FirstLocked(reader, 6, 100); at != 6 || !held || err != nil {
		t.Fatalf("FirstLocked = %d, %v, %v, want 6", at, held, err)
	}
	if _, held, err := FirstLocked(reader, 7, 100); held || err != nil {
		t.Fatalf("FirstLocked = %v, %v, want none", held, err)
	}
	a.Close()
	test(b, 6, true) // the duplicate keeps it
	dup.Close()
	test(b, 6, false)
	if err := Lock(reader, 6, 1, true); err == nil {
		t.Fatal("an exclusive lock through a read-only descriptor")
	}
	if err := Lock(a, 6, 1, true); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("Lock of a closed file = %v", err)
	}
}
