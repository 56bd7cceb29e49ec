package shm

import "example.com/tandem/internal/object"

// Detach closes the region whose ID is id for this whole process, whatever
// handles on it are open: package proc, when a child's function has returned.
// It does nothing if the region is not open. See Region.Close.
func Detach(id object.RegionID) error {
	registry.mu.Lock()
	var found *attachment
	for _, a := range registry.m {
		if a.id == id && a.left == nil {
			found = a
			a.depart() // a later Close of a handle counts below zero
		}
	}
	registry.mu.Unlock()
	if found == nil {
		return nil
	}
	defer found.forget()
	if err := found.close(); err != nil {
		return &Error{Op: "shm.Detach", Region: found.name, Err: err}
	}
	return nil
}
