package sync

import "example.com/tandem/shm"

// BarrierThere is the barrier called name, whatever its parties are: for tests
// whose processes are not told.
func BarrierThere(r *shm.Region, name string, o *BarrierOptions) (*Barrier, error) {
	b := new(Barrier)
	if err := b.open(r.Existing(), "sync.BarrierThere", name, 0); err != nil {
		return nil, err
	}
	if o != nil {
		b.action = o.Action
	}
	return b, nil
}
