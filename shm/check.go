package shm

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
)

// Check verifies every structure of the region and returns all that is wrong
// with it, as errors that wrap ErrCorrupt; nil if nothing is. A directory that could not be
// verified is an error, too: EBUSY if it is being changed, and, ReadOnly, ErrOwnerDied if it
// wants repair. Of an object whose kind this build does not know only the directory's part is
// verified. It may run while others work in the region. It takes no lock unless the directory keeps
// changing, and then waits for it no longer than five seconds: a process that
// was stopped while it changed the directory is an error that names it.
//
// A directory that a process left half changed when it died is repaired first,
// unless the region is ReadOnly.
func (r *Region) Check() error {
	var errs []error
	if r.made() {
		errs = r.a.check()
	}
	if closed := r.check(); closed != nil {
		errs = []error{closed}
	}
	runtime.KeepAlive(r)
	if len(errs) == 0 {
		return nil
	}
	return &Error{Op: "region.Check", Region: r.Name(), Err: errors.Join(errs...)}
}

const (
	checkTries = 20
	checkWait  = 5 * time.Second
)

func (a *attachment) check() (errs []error) {
	errs = append(errs, a.checkHeader()...)
	errs = append(errs, a.checkRecords()...)
	errs = append(errs, a.CheckWaits()...)
	if ops, ok := engine.OpsOf(engine.KindMutex); ok {
		if err := ops.Check(a.Sub(region.HdrDirLock, engine.MutexSize)); err != nil {
			return append(errs, fmt.Errorf("the directory's lock: %w", err))
		}
	}
	d, err := a.copyDirectory()
	if err != nil {
		return append(errs, err)
	}
	entries, more := d.Check()
	errs = append(errs, more...)
	shelf := a.Shelf()
	for k := range entries {
		if e := &entries[k]; shelf.Has(e.I, e.Gen) && !a.Opened(e.I) {
			continue // free memory, whatever lies there
		}
		if err := a.checkObject(&entries[k]); err != nil {
			errs = append(errs, fmt.Errorf("object %s: %w", entries[k].Text(), err))
		}
	}
	return errs
}

// checkHeader compares the header with what it said when the region was opened.
func (a *attachment) checkHeader() (errs []error) {
	b := [128]byte(bytes.Clone(a.Bytes(0, 128)))
	h, err := region.DecodeHeader(&b, a.Geo.Size)
	if err == nil && (h.Geometry != a.Geo || h.ID != a.id) {
		err = fmt.Errorf("it was for %d bytes, %d participants and %d objects when the region was opened: %w", a.Geo.Size, a.Geo.Participants, a.Geo.Objects, ErrCorrupt)
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("header: %v: %w", err, ErrCorrupt)) // it was no other region's when it was opened
	}
	if life := mem.Load32(a.W32(region.HdrLife)); life > region.LifeGone {
		errs = append(errs, fmt.Errorf("header: life %d: %w", life, ErrCorrupt))
	}
	return errs
}

func (a *attachment) checkRecords() (errs []error) {
	for i := range a.Geo.Participants {
		if s := region.StateOf(a.rec(i).Word()); s > region.StDead {
			errs = append(errs, fmt.Errorf("participant %d: state %d: %w", i, s, ErrCorrupt))
		}
	}
	return errs
}

// checkObject looks at a live or removed object's memory. What is found in it
// counts if the object was still there afterwards.
func (a *attachment) checkObject(e *region.Entry) (err error) {
	ops, known := engine.OpsOf(e.Kind)
	if !a.peek(e, func() {
		if _, err = a.Fields(e); err == nil && known {
			err = ops.Check(a.Words(e))
		}
	}) {
		return nil
	}
	return err
}

// copyDirectory copies header line and all tables as they were at one instant.
func (a *attachment) copyDirectory() (*region.DirCopy, error) {
	for try := range checkTries {
		seq := mem.Load64(a.Dir64(region.DirSeq))
		if seq&1 == 0 {
			d := region.NewDirCopy(&a.Memory)
			if mem.Load64(a.Dir64(region.DirSeq)) == seq {
				return d, nil
			}
		}
		if a.dirAbandoned() {
			break
		}
		time.Sleep(time.Duration(try) * 100 * time.Microsecond)
	}
	if a.readOnly {
		return nil, a.changingNow()
	}
	l, err := a.lockDirectoryFor(checkWait)
	if err != nil {
		if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrClosed) {
			return nil, err
		}
		return nil, errors.Join(a.changingNow(), err)
	}
	defer l.unlock()
	return region.NewDirCopy(&a.Memory), nil
}

func (a *attachment) dirAbandoned() bool {
	m, err := engine.AttachMutex(a.Sub(region.HdrDirLock, engine.MutexSize), a.env)
	return err == nil && m.Abandoned()
}

// changingNow says who keeps the directory from being checked.
func (a *attachment) changingNow() error {
	m, err := engine.AttachMutex(a.Sub(region.HdrDirLock, engine.MutexSize), a.env)
	if err != nil {
		return err
	}
	if who, held := m.Owner(); held && who.Index < a.Geo.Participants {
		p, _ := a.attachedIn(a.rec(who.Index))
		h := p.holder()
		return fmt.Errorf("the directory is being changed by %v and cannot be checked: %w", &h, syscall.EBUSY)
	}
	if m.Abandoned() {
		return fmt.Errorf("the directory was left half changed by a process that died; the next to change it repairs it: %w", ErrOwnerDied)
	}
	return fmt.Errorf("the directory is being changed and cannot be checked: %w", syscall.EBUSY)
}
