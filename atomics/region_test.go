package atomics_test

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

func TestMain(m *testing.M) { testproc.Main(m) }

// region is a new region, which is whole when the test ends.
func region(t testing.TB) *shm.Region {
	t.Helper()
	dir, err := os.MkdirTemp(shm.Dir(), "tandem-atomics-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "region")
	r, err := shm.Create(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		whole, err := shm.Open(path, nil)
		if err != nil {
			t.Error(err)
			return
		}
		if err := whole.Check(); err != nil {
			t.Error(err)
		}
		whole.Close()
	})
	return r
}
