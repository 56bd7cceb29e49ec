// Package shmtest gives a test a region of its own.
//
//	func TestJobs(t *testing.T) {
//		r := shmtest.Region(t)
//		jobs, err := ring.OpenQueue[Job](r, "jobs", nil)
//		…
//	}
package shmtest

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"example.com/tandem/shm"
)

// Region makes a region in a directory of its own, on a tmpfs where there is
// one, and skips the test where the system does not support regions. Children
// of the test open it by its Name.
//
// When the test ends every structure in the region is verified (shm.Check),
// and if the test failed, for that or before, what was in it stands in the
// test's log. Then the region is closed and its directory removed. A test that
// closed or removed the region itself is fine.
func Region(t testing.TB) *shm.Region {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tandem-test-")
	if err != nil {
		dir = t.TempDir()
	} else {
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	r, err := shm.Create(filepath.Join(dir, "region"), nil)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { verify(t, r) })
	return r
}

// verify checks r, shows it if the test failed, and closes it.
func verify(t testing.TB, r *shm.Region) {
	t.Helper()
	if _, err := r.Snapshot(); errors.Is(err, shm.ErrClosed) {
		again, err := shm.Open(r.Name(), nil)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			t.Errorf("the region after its Close: %v", err)
			return
		}
		r = again
	}
	if err := r.Check(); err != nil {
		t.Errorf("Check at the end of the test: %v", err)
	}
	if t.Failed() {
		s, err := r.Snapshot()
		if err != nil {
			t.Errorf("Snapshot: %v", err)
		}
		b, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Errorf("the snapshot as JSON: %v", err)
		}
		t.Logf("region %s:\n%s", r.Name(), b)
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
