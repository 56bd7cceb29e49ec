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
	"time"

	"example.com/tandem/shm"
)

// Region makes a region in a directory of its own, on a tmpfs where there is
// one, and skips the test where the system does not support regions. Children
// of the test open it by its Name.
//
// When the test ends every structure in the region is verified (Region.Check),
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

// patience is how long AwaitWaiting waits for an event that must come.
const patience = 60 * time.Second

// Waiting is how many calls of all processes wait asleep for an object, or
// with "" for the directory's lock. A call that still looks is not counted. A
// process shows the calls on 31 words; objects that have several (a queue: one
// for each thing to wait for) are counted over all.
func Waiting(r *shm.Region, object string) int {
	s, err := r.Snapshot()
	if err != nil {
		return 0
	}
	n := 0
	for _, h := range waits(s, object) {
		n += h.N
	}
	return n
}

func waits(s *shm.Snapshot, object string) []shm.Holder {
	if object == "" {
		return s.Directory.Waits
	}
	for i := range s.Objects {
		if s.Objects[i].Name == object {
			return s.Objects[i].Waits
		}
	}
	return nil
}

// AwaitWaiting waits until n calls or more wait asleep for an object, as
// Waiting counts them, and fails the test if that does not come.
func AwaitWaiting(t testing.TB, r *shm.Region, object string, n int) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Microsecond) {
		got := Waiting(r, object)
		if got >= n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d calls wait for %q after %v, want %d", got, object, patience, n)
		}
	}
}
