package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"sync/atomic"

	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// handedOver are the regions of Options.Regions, in a child.
var handedOver atomic.Pointer[[]*shm.Region]

// Regions are, in a child, the Options.Regions it was started with, in that
// order. They are closed when the child's function has returned. In every
// other process there are none.
func Regions() []*shm.Region {
	if l := handedOver.Load(); l != nil {
		return append([]*shm.Region(nil), *l...)
	}
	return nil
}

// pack encodes *arg and notes in h the regions that go with it: those in
// listed, and those of handles in arg, each once. The files are theirs, in
// h's order, and the caller's to close, after an error too.
func pack(h *head, t reflect.Type, arg any, listed []*shm.Region) (data []byte, files []*os.File, err error) {
	index := map[object.RegionID]int{}
	add := func(id object.RegionID, r *shm.Region) error {
		f, err := r.File()
		if err != nil {
			return err
		}
		index[id] = len(files)
		files = append(files, f)
		h.Regions = append(h.Regions, handed{ID: id, Name: r.Name()})
		return nil
	}
	for i, r := range listed {
		id, err := regionID(r)
		if err != nil {
			return nil, files, fmt.Errorf("Options.Regions[%d]: %w", i, err)
		}
		if _, ok := index[id]; !ok {
			if err := add(id, r); err != nil {
				return nil, files, fmt.Errorf("Options.Regions[%d]: %w", i, err)
			}
		}
		h.Listed = append(h.Listed, index[id])
	}
	// Another goroutine's handle may be encoded meanwhile and be taken for one
	// of arg's. That is harmless, unless its region is closed by now: then
	// look once more.
	for attempt := 1; ; attempt++ {
		ids, err := object.Collect(func() (err error) {
			data, err = encode(t, arg)
			return err
		})
		if err != nil {
			return nil, files, err
		}
		for id := range ids {
			if _, ok := index[id]; !ok {
				if err = addByID(id, add); err != nil {
					break
				}
			}
		}
		if err == nil {
			return data, files, nil
		}
		if attempt == 3 || !errors.Is(err, fs.ErrNotExist) {
			return nil, files, fmt.Errorf("hand over the region of a handle in the argument: %w", err)
		}
	}
}

func addByID(id object.RegionID, add func(object.RegionID, *shm.Region) error) error {
	r, err := shm.RegionByID(id)
	if err != nil {
		return err
	}
	defer r.Close()
	return add(id, r)
}

func regionID(r *shm.Region) (object.RegionID, error) {
	b, err := r.MarshalBinary()
	if err != nil {
		return object.RegionID{}, err
	}
	ref, err := object.Unmarshal(b)
	return ref.Region, err
}
