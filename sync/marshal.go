package sync

import (
	"context"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// MarshalBinary and UnmarshalBinary let the handle be an argument of a child.
// It travels as the names of its region and object.
func (m *Mutex) MarshalBinary() ([]byte, error) {
	if err := m.done("mutex.MarshalBinary", m.ready(context.Background())); err != nil {
		return nil, err
	}
	return m.core.Ref.Marshal()
}

// UnmarshalBinary opens the mutex that another process's handle was on. Its
// region must be open in this process, which package proc sees to; a mutex
// that was removed meanwhile is fs.ErrNotExist.
func (m *Mutex) UnmarshalBinary(b []byte) error {
	ref, err := object.UnmarshalFor("mutex.UnmarshalBinary", engine.KindMutex, b)
	if err != nil {
		return err
	}
	r, err := shm.RegionByID(ref.Region)
	if err != nil {
		return err
	}
	defer r.Close() // one handle on the region of several: the mutex's stays
	return m.open(r.Existing(), ref.Object)
}
