package shm

import (
	"time"

	"example.com/tandem/internal/region"
)

// words is a region's memory, and what the processes in it tell each other there.
type words struct{ region.Memory }

// A record is a participant's, and what this process knows of it besides.
type record struct{ region.Record }

func (w *words) rec(i uint32) record { return record{w.Rec(i)} }

// read copies a record out, and returns the word that it was read under. Of a
// free record the fields are its last user's.
func (r record) read() (Participant, uint64) {
	u, w := r.User()
	return Participant{
		Index:   int(r.I),
		Epoch:   region.EpochOf(w),
		PID:     int(u.PID),
		Name:    u.Name,
		Started: time.Unix(0, u.Since),
		State:   publicState(region.StateOf(w)),
	}, w
}
