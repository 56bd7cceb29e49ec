package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"example.com/tandem/internal/sys"
)

// Info is what List tells of a region, without attaching to it.
type Info struct {
	Name         string      `json:"name"`
	Path         string      `json:"path"`
	ID           string      `json:"id"`           // 32 hexadecimal digits
	Size         int64       `json:"size"`         // bytes of address space
	Memory       int64       `json:"memory"`       // bytes that the file system gave it
	Participants int         `json:"participants"` // processes attached, by the locks they hold
	Limit        int         `json:"limit"`        // how many can be
	Objects      int         `json:"objects"`      // that have a name
	Created      time.Time   `json:"created"`
	Mode         fs.FileMode `json:"mode"`
	UID          int         `json:"uid"` // the owner
	Ephemeral    bool        `json:"ephemeral,omitempty"`
	Stale        bool        `json:"stale,omitempty"`   // ephemeral, and no process lives in it
	ThisBoot     bool        `json:"this_boot"`         // made since the machine came up
	Problem      string      `json:"problem,omitempty"` // why Open would refuse it: another layout, a damaged header
}

// List tells which regions are in Dir(), by name. Files that are no regions,
// or that this user may not read, are left out; what dead processes left of
// ephemeral regions is taken away.
func List() ([]Info, error) { return list("shm.List", sweep) }

// ListAll is List but changes nothing: what is left of ephemeral regions stays,
// and is listed as Stale.
func ListAll() ([]Info, error) { return list("shm.ListAll", os.ReadDir) }

func list(op string, read func(dir string) ([]fs.DirEntry, error)) ([]Info, error) {
	if !sys.Supported {
		return nil, &Error{Op: op, Err: errors.ErrUnsupported}
	}
	dir, err := filepath.Abs(Dir())
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	entries, err := read(dir)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	var infos []Info
	boot := sys.BootID()
	for _, e := range entries {
		if i, ok := info(filepath.Join(dir, e.Name()), boot); ok && validName(e.Name()) {
			i.Name = e.Name()
			infos = append(infos, i)
		}
	}
	return infos, nil
}

func info(path string, boot [16]byte) (Info, bool) {
	f, st, err := openFile(path, false)
	if err != nil {
		return Info{}, false
	}
	defer f.Close()
	i := Info{Path: path, Size: st.Size, Memory: st.Memory, Mode: st.Mode, UID: st.UID}
	h, err := readHeader(f, st.Size)
	switch {
	case errors.Is(err, ErrVersion) || errors.Is(err, ErrCorrupt):
		i.Problem = err.Error()
		return i, true
	case err != nil:
		return i, false
	}
	i.ID = h.id.String()
	i.Limit = int(h.participants)
	i.Created = h.created
	i.ThisBoot = h.boot == boot
	i.Ephemeral = h.flags&flagEphemeral != 0
	if held, err := sys.Test(f, hdrLife); err == nil && !held {
		i.Stale = i.Ephemeral
	}
	i.Participants = attached(f, h.geometry)
	var live [4]byte
	if _, err := f.ReadAt(live[:], hdrDir+dirLive); err == nil {
		i.Objects = int(min(binary.LittleEndian.Uint32(live[:]), h.objects))
	}
	return i, true
}

// attached counts the participants whose byte is locked.
func attached(f *os.File, g geometry) (n int) {
	for at, end := int64(g.record(0)), int64(g.record(g.participants)); at < end; {
		next, held, err := sys.FirstLocked(f, at, end-at)
		if err != nil || !held {
			break
		}
		n++
		at = next + recordSize
	}
	return n
}

// Remove takes a region's name away, as unlink(2): those attached go on, the
// memory comes back after them, and the name is free at once. It removes
// regions only: anything else is ErrNotRegion. A damaged region, or one of
// another layout version, is one still.
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
	return unlinkNamed(f, path)
}
