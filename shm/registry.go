package shm

import (
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
	mu gosync.Mutex
	m  map[sys.FileID]*attachment
}

// RegionByID opens one more handle on a region that this process has open and
// whose ID is id: how a handle that travelled to another process finds its
// region there. fs.ErrNotExist if there is none.
func RegionByID(id object.RegionID) (*Region, error) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	for _, a := range registry.m {
		if a.id == id {
			return a.handle(), nil
		}
	}
	return nil, &Error{Op: "shm.RegionByID", Err: fmt.Errorf("region %v is not open in this process: %w", id, fs.ErrNotExist)}
}

// handle is a new handle on a; under registry.mu.
func (a *attachment) handle() *Region {
	a.refs++
	return &Region{a: a, closed: new(atomic.Bool)}
}

// check is nil while both this handle and its attachment are open.
func (r *Region) check() error {
	if r.closed.Load() || r.a.closed.Load() {
		return ErrClosed
	}
	return nil
}
