package ring_test

import (
	"errors"
	"maps"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// Recovery: a process holds two of four messages on lease, has got a third,
// and dies. Who recovers it dies over that, and the next one finishes.
var (
	queueLeft    = map[string]stepkill.Op{}
	openRecovers = stepkill.RegisterOpen("open recovers a queue")
	guardHeals   = map[string]stepkill.Op{}
	_            = registerRecovery()
)

func registerRecovery() bool {
	for form, open := range stepForms {
		queueLeft[form] = stepkill.Register("peer leaves a queue of "+form, func(r *shm.Region) (func() error, error) {
			q, err := open(r, "q")
			return func() error {
				_, err := holdTwo(q)
				return errors.Join(err, q.drop(background))
			}, err
		})
		guardHeals[form] = stepkill.RegisterGuard("guard recovers a queue of "+form, func(r *shm.Region) error {
			_, err := open(r, "q")
			return err
		})
	}
	return true
}

func TestQueueRecoveryKilledAnywhere(t *testing.T) {
	for _, tt := range stepkill.Some(t, []struct {
		form, by string
		op       stepkill.Op
		records  int // 1: the one that attaches must recover to get one
	}{
		{"blocks", "open", openRecovers, 1},
		{"slot", "guard", guardHeals["slot"], 4},
	}...) {
		t.Run(tt.form+" by "+tt.by, func(t *testing.T) {
			open := stepForms[tt.form]
			stepkill.EveryRecovery(t, tt.op, tt.records, func(t *testing.T, r *shm.Region) {
				q, err := open(r, "q")
				for n := 1; n <= holds && err == nil; n++ {
					err = q.tryPut(n)
				}
				if err != nil {
					t.Fatal(err)
				}
			}, queueLeft[tt.form], func(t *testing.T, r *shm.Region, d stepkill.Death) {
				q, err := open(r, "q")
				if err != nil {
					t.Fatal(err)
				}
				seen := map[int]int{}
				for range holds - 1 {
					l, err := takeOne(q)
					if err != nil {
						t.Fatalf("after a death %v: %v; seen %v", d, err, seen)
					}
					seen[l.n] = l.attempt
				}
				if want := (map[int]int{1: 2, 2: 2, 4: 1}); !maps.Equal(seen, want) {
					t.Errorf("after a death %v: messages and attempts %v, want %v", d, seen, want)
				}
				whole(t, stepkill.Watchdog(t), q, false)
			})
		})
	}
}
