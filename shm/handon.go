package shm

import (
	"errors"
	"os"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// HandOn is for package proc: a descriptor of the region for a process that is
// about to be started. An ephemeral region does not end while that is open,
// even if this process closes the region, or dies, before the other is in it. It
// does not block. [ErrClosed] after Close.
func (r *Region) HandOn() (*object.Passage, error) {
	p, err := r.handOn()
	if err != nil {
		return nil, &Error{Op: "region.HandOn", Region: r.Name(), Err: err}
	}
	return p, nil
}

func (r *Region) handOn() (*object.Passage, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	a := r.a
	p := &object.Passage{Key: a.key(), Name: a.name, ReadOnly: a.readOnly, End: func() {}}
	var err error
	if a.Geo.Flags&region.FlagEphemeral == 0 || a.readOnly { // a process that only looks keeps no region alive, nor does its child
		p.File, err = r.File()
		return p, err
	}
	end := func() {
		if path := a.where(); path != "" {
			endNamed(path)
		}
	}
	p.File, err = a.ticket()
	if closed := r.check(); closed != nil {
		if err == nil { // of another's name and number by now, or what has kept the region's
			sys.Unlock(p.File, region.LifeByte, 1) // which no other process has: a child that was just forked may have the description
			p.File.Close()
			end()
		}
		err = closed
	}
	if err != nil {
		return nil, err
	}
	p.End = end
	return p, nil
}

// ticket opens a's file, of an ephemeral region, with a share of its life: L5.
func (a *attachment) ticket() (*os.File, error) {
	f, err := a.openNamed()
	if err != nil { // not Dup: the share must be this description's own
		if f, err = sys.Reopen(a.fd, true); err != nil {
			return nil, err
		}
	}
	if err = shareLife(f); err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, errGone) {
		err = ErrClosed // by another goroutine, meanwhile
	}
	return nil, err
}
