package ring_test

import (
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// Recovery: a process has subscribed, and dies while it publishes and subscribes once more. Who
// recovers it dies over that, and the next one finishes.
var (
	saidLeft = stepkill.Register("peer leaves a broadcast", func(r *shm.Region) (func() error, error) {
		b, err := saidForms["reliable"](r, "b")
		return func() error {
			for range 2 {
				if _, err := b.subscribe(); err != nil {
					return err
				}
			}
			return b.half(func() error { return b.publish(background, 101, 1) })
		}, err
	})
	openRecoversSaid = stepkill.RegisterOpen("open recovers a broadcast")
	guardHealsSaid   = stepkill.RegisterGuard("guard recovers a broadcast", func(r *shm.Region) error {
		_, err := saidForms["reliable"](r, "b")
		return err
	})
)

func TestBroadcastRecoveryKilledAnywhere(t *testing.T) {
	ways := []struct {
		by      string
		op      stepkill.Op
		records int // 1: the one that attaches must recover to get one
	}{{"guard", guardHealsSaid, 4}, {"open", openRecoversSaid, 1}}
	if _, all := stepkill.Pick(t, t.Name(), 1); !all {
		ways = ways[:1] // to step through all of an Open takes seconds
	}
	for _, tt := range ways {
		t.Run(tt.by, func(t *testing.T) {
			sc := saidScene{form: "reliable"}
			stepkill.EveryRecovery(t, tt.op, tt.records, func(t *testing.T, r *shm.Region) {
				b, err := saidForms[sc.form](r, "b")
				for i, blocks := range sizes(chainLast) {
					if err == nil {
						err = b.try(1+i, blocks)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
			}, saidLeft, func(t *testing.T, r *shm.Region, d stepkill.Death) {
				b, err := saidForms[sc.form](r, "b")
				if err != nil {
					t.Fatal(err)
				}
				if p := b.pool(); len(p.Pieces) != saidSlots || p.Free != saidBlocks-saidSlots || p.Rows > 0 || len(p.Wrong) > 0 {
					t.Errorf("after a death %v: %+v", d, p)
				}
				s, err := b.subscribe()
				if err != nil {
					t.Fatal(err)
				}
				sc.whole(t, d, b, &hearer{heard: s}, func(int) {})
			})
		})
	}
}
