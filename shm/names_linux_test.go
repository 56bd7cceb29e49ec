package shm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// No region can have a name that a sweep takes for an unfinished file's,
// whichever way the name comes in.
func TestNoRegionIsSwept(t *testing.T) {
	dir := testDir(t)
	t.Setenv("TANDEM_DIR", dir)
	path := filepath.Join(dir, ".tandem~x")
	opens := map[string]func(string) error{
		"Create":         func(name string) error { return closed(Create(name, &Options{Size: 1 << 20})) },
		"OpenOrCreate":   func(name string) error { return closed(OpenOrCreate(name, &Options{Size: 1 << 20})) },
		"Open":           func(name string) error { return closed(Open(name, nil)) },
		"Open read-only": func(name string) error { return closed(Open(name, &Options{ReadOnly: true})) },
		"Remove":         Remove,
	}
	t.Chdir(dir)
	for op, f := range opens {
		for _, name := range []string{path, "./.tandem~x", ".tandem~x"} {
			if err := f(name); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s(%s) = %v, want fs.ErrInvalid", op, name, err)
			}
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want it not to be there", path, err)
	}
}
