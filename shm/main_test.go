package shm

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/tandem/internal/testproc"
)

func TestMain(m *testing.M) { testproc.Main(m) }

// testDir is a directory of the test's own on a tmpfs, if there is one.
func testDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tandem-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// testPath is a region's name that nothing has yet.
func testPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(testDir(t), "region")
}
