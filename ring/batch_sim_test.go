//go:build tandem_sim

package ring

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// batchBesideSleeper explores a PutBatch of n that begins when a consumer sleeps,
// and reports in how many runs the consumer got a message before it returned.
func batchBesideSleeper(t *testing.T, capacity, n int) (early int) {
	const runs = 40
	sim.Explore(t, runs, sim.Options{}, func(w *sim.World) {
		_, a := sharedQueue[int64](w, &QueueOptions{Capacity: capacity}, 4)
		returned := false
		p := w.Process(0)
		sleeper := simQueue[int64](p, a, nil)
		p.Go("consumer", func(*sim.Thread) {
			if _, err := sleeper.Get(sim.Context); err != nil {
				w.Fail("Get: %v", err)
			}
			if !returned {
				early++
			}
		})
		p = w.Process(1)
		q := simQueue[int64](p, a, nil)
		began := false
		w.OnStuck(func() bool {
			if began {
				return false // the consumer sleeps still
			}
			began = true
			p.Go("producer", func(*sim.Thread) {
				k, err := q.PutBatch(sim.Context, make([]int64, n))
				if returned = true; err != nil || k == 0 {
					w.Fail("PutBatch = %d, %v", k, err)
				}
			})
			return true
		})
	})
	return early
}

// A batch that is more than the queue has room for tells the consumers of what
// it has put.
func TestSimBatchThatEndsEarlyIsTold(t *testing.T) {
	batchBesideSleeper(t, 4, 8)
}

// A consumer that sleeps does not wait for the end of a long batch.
func TestSimLongBatchIsTold(t *testing.T) {
	if batchBesideSleeper(t, 4*engine.RunMost, 4*engine.RunMost) == 0 {
		t.Error("in no run has a consumer got a message before the batch was over")
	}
}
