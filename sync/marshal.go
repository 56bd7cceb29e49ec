package sync

import "example.com/tandem/internal/engine"

// MarshalBinary and UnmarshalBinary let a handle be an argument of a child. It
// travels as the id and the file of its region and the name and generation of its object.
// Unmarshalling opens the object that the sender's handle was on; its region
// must be open in this process, which package proc sees to, and an object that
// was removed meanwhile is fs.ErrNotExist, whatever has its name then. So it is
// with a Cond's lock.

// MarshalBinary makes the handle an argument.
func (m *Mutex) MarshalBinary() ([]byte, error) { return m.marshal("mutex.MarshalBinary") }

// UnmarshalBinary opens the mutex that another process's handle was on.
func (m *Mutex) UnmarshalBinary(b []byte) error {
	return unmarshal("mutex.UnmarshalBinary", engine.KindMutex, b, m.open)
}
