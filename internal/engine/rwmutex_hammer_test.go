package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// Participants who read and write two numbers that only the lock guards, with
// short contexts, and die inside: the race detector sees heap words, and finds
// what the lock does not order.
func TestRWMutexHammer(t *testing.T) {
	ops, _ := engine.OpsOf(engine.KindRWMutex)
	f := newHeapFutex()
	a := mem.Heap(engine.RWMutexSize(4))
	engine.InitRWMutex(a)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	x, y := 0, 0 // guarded
	var wg sync.WaitGroup
	for p := range uint32(4) {
		wg.Go(func() {
			for epoch := uint32(1); epoch <= 5; epoch++ {
				env := f.env(p, epoch)
				l, err := engine.AttachRWMutex(a, env)
				if err != nil {
					t.Error(err)
					return
				}
				life, die := context.WithCancel(ctx)
				var threads sync.WaitGroup
				for range 2 {
					threads.Go(func() {
						for range 100 {
							if life.Err() != nil {
								return
							}
							ctx, cancel := life, context.CancelFunc(func() {})
							if rand.IntN(4) == 0 {
								ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(200))*time.Microsecond)
							}
							s := heapSleeper{f, ctx}
							writes := rand.IntN(3) == 0
							var suspect bool
							var err error
							if writes {
								err = l.Lock(s)
							} else {
								err = l.RLock(s)
							}
							if err == engine.ErrOwnerDied {
								writes = true
								suspect, err = l.Recover(s)
							}
							cancel()
							if err != nil {
								if !errors.Is(err, context.DeadlineExceeded) && life.Err() == nil {
									t.Error(err)
								}
								continue
							}
							if suspect {
								x = y
								err = l.MarkConsistent()
							}
							if x != y {
								t.Errorf("%d and %d", x, y)
							}
							if writes {
								x++
							}
							if rand.IntN(50) == 0 { // it dies where it stands
								die()
								return
							}
							if writes {
								y++
								err = errors.Join(err, l.Unlock())
							} else {
								err = l.RUnlock()
							}
							if err != nil {
								t.Error(err)
							}
						}
					})
				}
				threads.Wait()
				die()
				if err := ops.Recover(a, f.env(p, epoch), engine.Self{Index: p, Epoch: epoch}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := ops.Check(a); err != nil {
		t.Error(err)
	}
	if k := ops.Look(a); k.Owner != nil || k.Holders != nil {
		t.Errorf("at the end: %+v", k)
	}
	if x != y && ops.Look(a).State != "abandoned" {
		t.Errorf("at the end %d and %d, and nobody is told", x, y)
	}
}
