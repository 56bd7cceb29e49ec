package shm

import "example.com/tandem/internal/object"

// Detach closes the region k for this whole process, whatever handles on it are
// open: package proc, when a child's function has returned. It does nothing if
// the region is not open. See Region.Close.
func Detach(k object.RegionKey) error {
	registry.mu.Lock()
	a := registry.m[k.File]
	if a == nil || a.id != k.ID || a.left != nil {
		registry.mu.Unlock()
		return nil
	}
	a.depart() // a later Close of a handle counts below zero
	registry.mu.Unlock()
	err := a.close()
	a.forget()
	if err != nil {
		return &Error{Op: "shm.Detach", Region: a.name, Err: err}
	}
	return nil
}
