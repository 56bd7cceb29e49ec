package atomics_test

import (
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

var (
	wideLeft = stepkill.Register("wide values are left", func(r *shm.Region) (func() error, error) {
		v, err := atomics.OpenValue(r, "wide", wideOf(0))
		if err != nil {
			return nil, err
		}
		return func() error {
			for n := range int64(5) {
				v.Store(wideOf(n))
			}
			return nil
		}, nil
	})
	wideHeals = stepkill.RegisterGuard("guard recovers wide values", func(r *shm.Region) error {
		v, err := atomics.OpenValue(r, "wide", wideOf(0))
		if err == nil {
			v.Store(wideOf(100)) // it has a copy of the other's for a spare
		}
		return err
	})
)

// Wherever the recoverer of a writer dies, and whoever recovers it: the value is whole,
// and all copies come back.
func TestWideRecoveryKilledAnywhere(t *testing.T) {
	const records = 8
	stepkill.EveryRecovery(t, wideHeals, records, func(t *testing.T, r *shm.Region) {
		value(t, r, "wide", wideOf(50))
	}, wideLeft, func(t *testing.T, r *shm.Region, d stepkill.Death) {
		v := value(t, r, "wide", wideOf(0))
		for start := time.Now(); len(r.Participants()) > 1; time.Sleep(100 * time.Microsecond) {
			if time.Since(start) > testproc.Patience {
				t.Fatalf("a dead process is not recovered: %v", r.Participants())
			}
		}
		if got := v.Load(); got != wideOf(got[0]) || got[0] != 100 && got[0] > 4 {
			t.Errorf("after a death %v: %v", d, got)
		}
		const copies = 1 + 3*records
		if free := atomics.Free(v); free != copies-1 {
			t.Errorf("after a death %v: %d copies are free, want all but one of %d", d, free, copies)
		}
		for n := range int64(8) {
			v.Store(wideOf(n))
			if got := v.Load(); got != wideOf(n) {
				t.Errorf("after a death %v: stored %v, and it is %v", d, wideOf(n), got)
			}
		}
	})
}
