package sync_test

import (
	"context"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// What belonged to the object that a handle was on does not come with it to another.
func TestArrivesWithoutWhatWas(t *testing.T) {
	r := shmtest.Region(t)
	y := testproc.Get(sync.OpenMutex(r, "y"))(t)
	z := testproc.Get(sync.OpenRWMutex(r, "z"))(t)
	dies := actor.Start(t, r)
	dies.Expect("sound", "mutex.recover", "y")
	dies.Expect("sound", "rwmutex.recover", "z")
	dies.Kill()
	repair := func(context.Context) error { t.Error("repaired by the answer for another"); return nil }

	m := testproc.Get(sync.OpenMutex(r, "x"))(t)
	m.OnOwnerDied(repair)
	testproc.OK(t, m.UnmarshalBinary(testproc.Get(y.MarshalBinary())(t)))
	wantDied(t, "Lock", m.Lock(background))
	rw := testproc.Get(sync.OpenRWMutex(r, "x2"))(t)
	rw.OnOwnerDied(repair)
	testproc.OK(t, rw.UnmarshalBinary(testproc.Get(z.MarshalBinary())(t)))
	wantDied(t, "RLock", rw.RLock(background))

	b := testproc.Get(sync.OpenBarrier(r, "a", 1, &sync.BarrierOptions{Action: func() error { t.Error("the other's action"); return nil }}))(t)
	other := testproc.Get(sync.OpenBarrier(r, "b", 1, nil))(t)
	testproc.OK(t, b.UnmarshalBinary(testproc.Get(other.MarshalBinary())(t)))
	testproc.Get(b.Wait(background))(t)
}
