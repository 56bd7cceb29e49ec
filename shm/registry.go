package shm

import (
	"errors"
	"fmt"
	"io/fs"
	gosync "sync"
	"sync/atomic"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
)

// registry holds this process's attachments, one a region: opening a region
// twice gives two handles on one attachment.
var registry struct {
	mu     gosync.Mutex // held for no longer than it takes to look
	m      map[sys.FileID]*attachment
	coming map[sys.FileID]chan struct{} // those that a goroutine makes, until it has, or cannot
}

// registered is a new handle on this process's attachment to the file id, or
// nil: then it is coming, and the caller, who makes it, or cannot, says so by
// came. Where it is just being made or closed it waits: one process has one
// record in a region.
func registered(id sys.FileID) *Region {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	for {
		a, wait := registry.m[id], registry.coming[id]
		switch {
		case a == nil && wait == nil:
			if registry.coming == nil {
				registry.coming = map[sys.FileID]chan struct{}{}
			}
			registry.coming[id] = make(chan struct{})
			return nil
		case a != nil && a.left == nil:
			return a.handle()
		case a != nil:
			wait = a.left
		}
		registry.mu.Unlock()
		<-wait
		registry.mu.Lock()
	}
}

// came is a handle on a, the attachment to the file id that was coming; nil if it is.
func came(id sys.FileID, a *attachment) *Region {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	close(registry.coming[id])
	delete(registry.coming, id)
	if a == nil {
		return nil
	}
	if registry.m == nil {
		registry.m = map[sys.FileID]*attachment{}
	}
	registry.m[id] = a
	return a.handle()
}

// awaitComing waits for those that are just coming and may be the region k.
func awaitComing(k object.RegionKey) {
	registry.mu.Lock()
	var coming []chan struct{}
	for id, c := range registry.coming {
		if k.File == id || k.File == (sys.FileID{}) {
			coming = append(coming, c)
		}
	}
	registry.mu.Unlock()
	for _, c := range coming {
		<-c
	}
}

// depart marks a as being closed; under registry.mu.
func (a *attachment) depart() { a.refs, a.left = 0, make(chan struct{}) }

// forget takes a out of the registry, when it is closed.
func (a *attachment) forget() {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if registry.m[a.file] == a {
		delete(registry.m, a.file)
	}
	close(a.left)
}

// RegionByKey opens one more handle on a region that this process has open: how
// a handle that travelled to another process finds its region there.
// fs.ErrNotExist if it is not open, even if a copy of it is. Where k does not
// say which file it is, that with its id is the one, and fs.ErrInvalid says that
// there are two. It blocks only while this process attaches to one that may be it.
func RegionByKey(k object.RegionKey) (*Region, error) {
	r, err := regionByKey(k)
	if errors.Is(err, fs.ErrNotExist) {
		awaitComing(k)
		r, err = regionByKey(k)
	}
	return r, err
}

func regionByKey(k object.RegionKey) (*Region, error) {
	const op = "shm.RegionByKey"
	registry.mu.Lock()
	defer registry.mu.Unlock()
	var found, twin *attachment
	for _, a := range registry.m {
		switch {
		case a.id != k.ID || a.left != nil:
		case k.File != sys.FileID{} && a.file != k.File:
			twin = a
		case found != nil:
			return nil, &Error{Op: op, Err: fmt.Errorf("region %v is open in this process as %s and as %s, one a copy of the other: %w", k.ID, found.name, a.name, fs.ErrInvalid)}
		default:
			found = a
		}
	}
	switch {
	case found != nil:
		return found.handle(), nil
	case twin != nil:
		return nil, &Error{Op: op, Err: fmt.Errorf("region %v is not open in this process, but %s, which has its id and is another file, a copy: %w", k.ID, twin.name, fs.ErrNotExist)}
	}
	return nil, &Error{Op: op, Err: fmt.Errorf("region %v is not open in this process: %w", k.ID, fs.ErrNotExist)}
}

// key is what tells a from all that are open.
func (a *attachment) key() object.RegionKey { return object.RegionKey{ID: a.id, File: a.file} }

// Arrived is the region that ref is on, as RegionByKey finds it, and a view
// through which OpenX finds the object that ref is on, and no other that has
// its name by now: fs.ErrNotExist, with both generations.
func Arrived(ref object.Ref) (*Region, error) {
	r, err := RegionByKey(ref.Key())
	if err != nil {
		return nil, err
	}
	r.existing, r.only = true, ref.Generation
	return r, nil
}

// isAt records the name of a's file, if that is not known yet.
func (a *attachment) isAt(path string) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if a.path == "" {
		a.path = path
	}
}

// where is the name of a's file, as far as is known.
func (a *attachment) where() string {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	return a.path
}

// handle is a new handle on a; under registry.mu.
func (a *attachment) handle() *Region {
	a.refs++
	return &Region{a: a, closed: new(atomic.Bool)}
}

var errNoRegion = fmt.Errorf("the region is nil or was not opened: %w", fs.ErrInvalid)

// made reports whether r is from one of the functions that open regions.
func (r *Region) made() bool { return r != nil && r.a != nil }

// check is nil while both this handle and its attachment are open.
func (r *Region) check() error {
	if !r.made() {
		return errNoRegion
	}
	if r.closed.Load() || r.a.gate.Closed() {
		return ErrClosed
	}
	return nil
}
