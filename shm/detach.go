package shm

import (
	"errors"

	"example.com/tandem/internal/object"
)

// Detach closes the region whose ID is id for this whole process, whatever
// handles on it are open: package proc, when a child's function has returned.
// It does nothing if the region is not open. A copy of a region's file has its
// id, and is closed with it. See Region.Close.
func Detach(id object.RegionID) error {
	registry.mu.Lock()
	var found []*attachment
	for _, a := range registry.m {
		if a.id == id && a.left == nil {
			found = append(found, a)
			a.depart() // a later Close of a handle counts below zero
		}
	}
	registry.mu.Unlock()
	var errs []error
	for _, a := range found {
		err := a.close()
		a.forget()
		if err != nil {
			errs = append(errs, &Error{Op: "shm.Detach", Region: a.name, Err: err})
		}
	}
	return errors.Join(errs...)
}
