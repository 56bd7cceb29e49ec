package proc

import (
	"errors"
	"fmt"
	"io"
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

// A luggage is the regions that go along with an argument, each once, in the
// order of the head: those that are listed, and those of handles in the
// argument.
type luggage struct {
	h     *head
	all   []*object.Passage
	index map[piece]int

	flight *os.File // the child's, see fly
}

// A piece tells regions apart as a child has to have them: what one has open
// for reading only is of no use to a handle that writes.
type piece struct {
	region   object.RegionKey
	readOnly bool
}

// packed packs for the child of head h. What comes back without an error is the
// caller's to close. What encodes an argument is a user's code, and may panic.
func packed(h *head, t reflect.Type, arg any, listed []*shm.Region) (data []byte, l *luggage, err error) {
	l = &luggage{h: h, index: map[piece]int{}}
	whole := false
	defer func() {
		if !whole {
			l.close()
		}
	}()
	data, err = l.pack(t, arg, listed)
	whole = err == nil
	return data, l, err
}

// add takes r along, if it is not there yet, and returns its index.
func (l *luggage) add(r *shm.Region) (int, error) {
	p, err := r.HandOn()
	if err != nil {
		return 0, err
	}
	what := piece{p.Key, p.ReadOnly}
	i, ok := l.index[what]
	if ok {
		end(p)
		return i, nil
	}
	i = len(l.all)
	l.index[what] = i
	l.all = append(l.all, p)
	l.h.Regions = append(l.h.Regions, handed{Key: p.Key, Name: p.Name})
	return i, nil
}

func (l *luggage) files() (files []*os.File) {
	for _, p := range l.all {
		files = append(files, p.File)
	}
	if l.flight != nil {
		files = append(files, l.flight)
	}
	return files
}

// end is the sender's end of a passage.
func end(p *object.Passage) {
	p.File.Close()
	p.End()
}

// close ends the sender's part in all of it: the child has it, or never will.
func (l *luggage) close() {
	for _, p := range l.all {
		end(p)
	}
	if l.flight != nil {
		l.flight.Close()
	}
}

// fly keeps what the argument holds (ends of pipes) until the child has it, which the
// child tells by closing a file that it inherits; or until the child is gone, or never
// came, of which the kernel sees to it.
func (l *luggage) fly(drops []func()) error {
	if len(drops) == 0 {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		object.Drop(drops)
		return err
	}
	l.flight, l.h.Flight = w, true
	go func() {
		io.Copy(io.Discard, r)
		r.Close()
		object.Drop(drops)
	}()
	return nil
}

// ended is called when the child has ended, wherever it had got to.
func (l *luggage) ended() {
	for _, p := range l.all {
		p.End()
	}
}

// pack encodes *arg, and takes along and notes in the head the regions that go
// with it.
func (l *luggage) pack(t reflect.Type, arg any, listed []*shm.Region) (data []byte, err error) {
	for i, r := range listed {
		if _, err = regionKey(r); err == nil {
			var n int
			n, err = l.add(r)
			l.h.Listed = append(l.h.Listed, n)
		}
		if err != nil {
			return nil, fmt.Errorf("Options.Regions[%d]: %w", i, err)
		}
	}
	// Another goroutine's handle may be encoded meanwhile and be taken for one
	// of arg's. That is harmless, unless its region is closed by now: then
	// look once more.
	for attempt := 1; ; attempt++ {
		var drops []func()
		keys, err := object.Collect(func() (err error) {
			drops, err = object.CollectHolds(func() (err error) {
				data, err = encode(t, arg)
				return err
			})
			return err
		})
		if err != nil {
			return nil, err
		}
		for k := range keys {
			if err = l.addByKey(k); err != nil {
				break
			}
		}
		if err == nil {
			return data, l.fly(drops)
		}
		object.Drop(drops)
		if attempt == 3 || !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("hand over the region of a handle in the argument: %w", err)
		}
	}
}

func (l *luggage) addByKey(k object.RegionKey) error {
	r, err := shm.RegionByKey(k)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = l.add(r)
	return err
}

func regionKey(r *shm.Region) (object.RegionKey, error) {
	b, err := r.MarshalBinary()
	if err != nil {
		return object.RegionKey{}, err
	}
	ref, err := object.Unmarshal(b)
	return ref.Key(), err
}
