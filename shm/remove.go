package shm

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"example.com/tandem/internal/sys"
)

// Remove takes a region's name away, as unlink(2): those attached go on, the
// memory comes back after them, and the name is free at once. It removes
// regions only: anything else is ErrNotRegion. A damaged region, or one of
// another layout version, is one still.
//
// It waits, ten seconds at most, for another process that is removing the
// region: EBUSY then. A process that dies in it has removed the name or has not.
// fs.ErrNotExist, fs.ErrPermission.
func Remove(name string) error {
	const op = "shm.Remove"
	if !sys.Supported {
		return &Error{Op: op, Region: name, Err: errors.ErrUnsupported}
	}
	path, err := resolve(name)
	if err != nil {
		return &Error{Op: op, Region: name, Err: err}
	}
	if err := remove(path); err != nil {
		return &Error{Op: op, Region: name, Err: err}
	}
	return nil
}

func remove(path string) error {
	for try, end := 0, time.Now().Add(raceLimit); ; try++ {
		err := removeOnce(path)
		if !errors.Is(err, sys.ErrLocked) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("another process has been removing it for %v: %w", raceLimit, syscall.EBUSY)
		}
		backOff(try)
	}
}

func removeOnce(path string) error {
	f, st, err := openFile(path, true)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := readHeader(f, st.Size); err != nil && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrCorrupt) {
		return err
	}
	return unlinkNamed(f, st.FileID, path)
}
