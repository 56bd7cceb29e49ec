package shm

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// A birth is a file on its way to its name. Where the file system has files
// without a name (O_TMPFILE), it is one of those, and vanishes with a creator
// that is killed. Elsewhere it has a temporary name that no region can have,
// and its creator locks its name byte: one whose byte is free has no creator
// any more, and is swept.
type birth struct {
	f    *os.File
	id   sys.FileID
	temp string // "" if it has no name
}

const tempPrefix = ".tandem~"

func newBirth(dir string) (*birth, error) {
	b, err := newUnnamed(dir)
	return b, noFile(dir, err)
}

// tempTries is how often a temporary file may be swept before it is locked.
const tempTries = 8

func newUnnamed(dir string) (*birth, error) {
	f, err := sys.Temp(dir)
	if err == nil {
		return &birth{f: f}, nil
	}
	if !errors.Is(err, sys.ErrNoTemp) {
		return nil, err
	}
	for try := 0; ; try++ {
		b, err := newTemp(dir)
		if err == nil || try == tempTries {
			return b, err
		}
	}
}

func newTemp(dir string) (*birth, error) {
	path := filepath.Join(dir, tempPrefix+rand.Text())
	f, err := sys.New(path)
	if err != nil {
		return nil, err
	}
	b := &birth{f: f, temp: path}
	if b.id, err = sys.ID(f); err == nil {
		err = sys.Lock(f, region.NameByte, 1, true)
	}
	if err == nil && !isNamed(path, b.id) { // swept between the opening and the lock
		err = fmt.Errorf("%s: taken away by another process", path)
	}
	if err != nil {
		b.end()
		f.Close()
		return nil, err
	}
	return b, nil
}

// noFile is err, but ErrNoSpace with the figures where dir has no room for one
// more file.
func noFile(dir string, err error) error {
	if !noRoom(err) {
		return err
	}
	files, bytes := "an unknown number of files", "unknown"
	if free, limit, e := sys.FreeInodes(dir); e == nil {
		files = fmt.Sprintf("%d files of %d", free, limit)
	}
	if d, e := os.Open(dir); e == nil {
		if n, e := sys.FreeBytes(d); e == nil {
			bytes = fmt.Sprint(n)
		}
		d.Close()
	}
	return fmt.Errorf("%w: a file needed, room for %s and %s bytes in its file system: %w", ErrNoSpace, files, bytes, err)
}

// publish gives the file its name, or fs.ErrExist.
func (b *birth) publish(path string) error {
	return noFile(filepath.Dir(path), b.name(path))
}

func (b *birth) name(path string) error {
	if b.temp == "" {
		return sys.Link(b.f, path)
	}
	if err := sys.Rename(b.temp, path); err != nil {
		return err
	}
	b.temp = ""
	return sys.Unlock(b.f, region.NameByte, 1)
}

// end takes the temporary name away if there is one still.
func (b *birth) end() {
	if b.temp != "" && isNamed(b.temp, b.id) {
		sys.Unlink(b.temp)
	}
	b.temp = ""
}

// sweepTemp removes a temporary file whose creator is dead.
func sweepTemp(path string) {
	f, st, err := openFile(path, true)
	if err != nil {
		return
	}
	defer f.Close()
	if st.UID == sys.EUID() && sys.Lock(f, region.NameByte, 1, true) == nil && isNamed(path, st.FileID) {
		sys.Unlink(path)
	}
}

func isTemp(name string) bool { return strings.HasPrefix(name, tempPrefix) }

// isNamed reports whether path still means the file id.
func isNamed(path string, id sys.FileID) bool { return means(path, id) == nil }

// means is nil where path still means the file id, and fs.ErrNotExist where it
// means no other or nothing.
func means(path string, id sys.FileID) error {
	st, err := sys.Lstat(path)
	if err == nil && st.FileID != id {
		err = &fs.PathError{Op: "find", Path: path, Err: fmt.Errorf("it is another file by now: %w", fs.ErrNotExist)}
	}
	return err
}
