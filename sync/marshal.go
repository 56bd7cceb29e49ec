package sync

import "example.com/tandem/internal/engine"

// MarshalBinary makes the handle an argument of a child. It travels as the id and
// the file of its region and the name and generation of its object; nothing is
// locked or held by it, and the answer of [Mutex.OnOwnerDied] stays here. It does not block.
// [shm.ErrClosed] after Close.
func (m *Mutex) MarshalBinary() ([]byte, error) { return m.marshal("mutex.MarshalBinary") }

// UnmarshalBinary opens the mutex that another process's handle was on. Its region
// must be open in this process, which package proc sees to, else it is
// [io/fs.ErrNotExist]; so is a mutex that was removed meanwhile, whatever has its
// name then. A handle on something else is [shm.ErrMismatch]. It blocks as
// [OpenMutex] does. A handle that m was before is dropped, not closed.
func (m *Mutex) UnmarshalBinary(b []byte) error {
	err := unmarshal("mutex.UnmarshalBinary", engine.KindMutex, b, m.open)
	if err == nil {
		m.answer.set(nil)
	}
	return err
}
