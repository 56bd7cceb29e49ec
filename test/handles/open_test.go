package handles

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// An opener is how a kind is opened by a name; what it has beside that is good.
type opener struct {
	kind string
	open func(r *shm.Region, name string) (made bool, err error)
	zero func(t *testing.T) map[string]error // what calls of the zero handle return; nil if not tried
}

var openers = []opener{
	{"mutex", made(sync.OpenMutex), func(*testing.T) map[string]error {
		var none sync.Mutex
		return with(lockErrors(&none), "MarshalBinary", first(none.MarshalBinary()))
	}},
	{"rwmutex", made(sync.OpenRWMutex), func(t *testing.T) map[string]error {
		var none sync.RWMutex
		none.OnOwnerDied(nil)
		if p, ok := none.Owner(); ok {
			t.Errorf("Owner of the zero RWMutex = %v", p)
		}
		errs := with(lockErrors(&none), "MarshalBinary", first(none.MarshalBinary()))
		errs["RLock"], errs["TryRLock"], errs["RUnlock"] = none.RLock(background), first(none.TryRLock()), none.RUnlock()
		return errs
	}},
	{"rmutex", made(sync.OpenRMutex), func(t *testing.T) map[string]error {
		var none sync.RMutex
		if p, ok := none.Owner(); ok {
			t.Errorf("Owner of the zero RMutex = %v", p)
		}
		errs := map[string]error{"MarshalBinary": first(none.MarshalBinary())}
		for name, h := range map[string]*sync.Holder{"a zero Holder": new(sync.Holder), "a Holder of the zero RMutex": none.NewHolder()} {
			for call, err := range lockErrors(h) {
				errs[name+", "+call] = err
			}
			if d := h.Depth(); d != 0 {
				t.Errorf("Depth of %s = %d", name, d)
			}
		}
		return errs
	}},
	{"semaphore", made(func(r *shm.Region, name string) (*sync.Semaphore, error) { return sync.OpenSemaphore(r, name, 1) }),
		func(t *testing.T) map[string]error {
			var none sync.Semaphore
			if n := none.Value(); n != 0 {
				t.Errorf("Value of the zero Semaphore = %d", n)
			}
			return with(permitErrors(&none), "MarshalBinary", first(none.MarshalBinary()))
		}},
	{"bounded-semaphore", made(func(r *shm.Region, name string) (*sync.BoundedSemaphore, error) {
		return sync.OpenBoundedSemaphore(r, name, 1)
	}), func(t *testing.T) map[string]error {
		var none sync.BoundedSemaphore
		if n := none.Value(); n != 0 {
			t.Errorf("Value of the zero BoundedSemaphore = %d", n)
		}
		return with(permitErrors(&none), "MarshalBinary", first(none.MarshalBinary()))
	}},
	{"event", made(sync.OpenEvent), func(t *testing.T) map[string]error {
		var none sync.Event
		if none.IsSet() {
			t.Error("the zero Event is set")
		}
		return map[string]error{"Set": none.Set(), "Clear": none.Clear(), "Wait": none.Wait(background),
			"MarshalBinary": first(none.MarshalBinary())}
	}},
	{"barrier", made(func(r *shm.Region, name string) (*sync.Barrier, error) { return sync.OpenBarrier(r, name, 3, nil) }),
		func(t *testing.T) map[string]error {
			var none sync.Barrier
			if none.Parties() != 0 || none.Waiting() != 0 || none.Broken() {
				t.Error("the zero Barrier has something")
			}
			return map[string]error{"Wait": first(none.Wait(background)), "Abort": none.Abort(), "Reset": none.Reset(),
				"MarshalBinary": first(none.MarshalBinary())}
		}},
	{"once", made(sync.OpenOnce), func(*testing.T) map[string]error {
		var none sync.Once
		fails := func(context.Context) error { return errors.New("it ran") }
		return map[string]error{"Do": none.Do(background, fails), "MarshalBinary": first(none.MarshalBinary())}
	}},
	{"cond", made(func(r *shm.Region, name string) (*sync.Cond, error) { return sync.OpenCond(r, name, nil) }),
		func(t *testing.T) map[string]error {
			var none sync.Cond
			if none.Holder() != nil {
				t.Error("the zero Cond has a holder")
			}
			return map[string]error{"Wait": none.Wait(background), "WaitFor": none.WaitFor(background, nil),
				"Notify": none.Notify(1), "NotifyAll": none.NotifyAll()}
		}},
	{"value", made(func(r *shm.Region, name string) (*atomics.Value[int64], error) {
		return atomics.OpenValue(r, name, int64(7))
	}), nil},
	{"array", made(func(r *shm.Region, name string) (*atomics.Array[int32], error) {
		return atomics.OpenArray[int32](r, name, 3)
	}), nil},
	{"wide-value", made(func(r *shm.Region, name string) (*atomics.Value[[3]int64], error) {
		return atomics.OpenValue(r, name, [3]int64{7})
	}), nil},
	{"wide-array", made(func(r *shm.Region, name string) (*atomics.Array[[3]byte], error) {
		return atomics.OpenArray[[3]byte](r, name, 3)
	}), nil},
	{"slice", made(func(r *shm.Region, name string) (*atomics.Slice[int32], error) {
		return atomics.OpenSlice[int32](r, name, 3)
	}), nil},
	{"queue", made(func(r *shm.Region, name string) (*ring.Queue[string], error) {
		return ring.OpenQueue[string](r, name, nil)
	}), nil},
	{"pipe", made(func(r *shm.Region, name string) (*ring.Conn[int64], error) {
		return ring.OpenPipe[int64](r, name, ring.Left, nil)
	}), func(t *testing.T) map[string]error {
		var none ring.Conn[int64]
		return map[string]error{"Send": none.Send(background, 1), "Recv": first(none.Recv(background)), "Poll": none.Poll(background),
			"MarshalBinary": first(none.MarshalBinary())}
	}},
	{"spsc", made(func(r *shm.Region, name string) (*ring.SPSC[int64], error) {
		return ring.OpenSPSC[int64](r, name, nil)
	}), func(t *testing.T) map[string]error {
		var none ring.SPSC[int64]
		if none.Len() != 0 || none.Cap() != 0 {
			t.Error("the zero SPSC has something")
		}
		vs := make([]int64, 2)
		return map[string]error{"Put": none.Put(background, 1), "TryPut": none.TryPut(1), "PutBatch": first(none.PutBatch(background, vs)),
			"Get": first(none.Get(background)), "TryGet": first(none.TryGet()), "GetBatch": first(none.GetBatch(background, vs)),
			"Shutdown": none.Shutdown(), "MarshalBinary": first(none.MarshalBinary())}
	}},
	{"broadcast", made(func(r *shm.Region, name string) (*ring.Broadcast[string], error) {
		return ring.OpenBroadcast[string](r, name, nil)
	}), func(*testing.T) map[string]error {
		var none ring.Broadcast[string]
		var nobody ring.Subscriber[string]
		_, _, next := nobody.Next(background)
		return map[string]error{"Publish": none.Publish(background, ""), "TryPublish": none.TryPublish(""), "Subscribe": first(none.Subscribe()),
			"Shutdown": none.Shutdown(), "MarshalBinary": first(none.MarshalBinary()), "Next": next}
	}},
	{"listener", func(r *shm.Region, name string) (bool, error) {
		l, err := ring.Listen(r, name, nil)
		if err == nil {
			err = l.Close()
		}
		return l != nil, err
	}, nil},
}

var background = context.Background()

func made[H any](open func(*shm.Region, string) (*H, error)) func(*shm.Region, string) (bool, error) {
	return func(r *shm.Region, name string) (bool, error) {
		h, err := open(r, name)
		return h != nil, err
	}
}

func with(errs map[string]error, call string, err error) map[string]error {
	errs[call] = err
	return errs
}

func lockErrors(l robust) map[string]error {
	return map[string]error{"Lock": l.Lock(background), "TryLock": first(l.TryLock()), "Recover": first(l.Recover(background)),
		"MarkConsistent": l.MarkConsistent(), "Unlock": l.Unlock()}
}

func permitErrors(p permits) map[string]error {
	return map[string]error{"Acquire": p.Acquire(background), "TryAcquire": first(p.TryAcquire()), "Release": p.Release(1)}
}

// What an OpenX refuses whatever X is: a bad name, one that nothing has where
// nothing is to be made, and one that another kind has.
func TestOpenErrors(t *testing.T) {
	r := shmtest.Region(t)
	for _, o := range openers {
		if ok, err := o.open(r, o.kind); !ok || err != nil {
			t.Fatalf("open of a %s = %v", o.kind, err)
		}
	}
	for _, o := range openers {
		t.Run(o.kind, func(t *testing.T) {
			refused := func(r *shm.Region, name string, want error) {
				t.Helper()
				if ok, err := o.open(r, name); ok || !errors.Is(err, want) {
					t.Errorf("open of %q as a %s = %v, %v; want %v", name, o.kind, ok, err, want)
				}
			}
			refused(r, "", fs.ErrInvalid)
			refused(r, "a/b", fs.ErrInvalid)
			refused(r.Existing(), "typo", fs.ErrNotExist)
			for _, other := range openers {
				if other.kind != o.kind {
					refused(r, other.kind, shm.ErrMismatch)
				}
			}
			if ok, err := o.open(r.Existing(), o.kind); !ok || err != nil {
				t.Errorf("open of what is there, as what it is = %v, %v", ok, err)
			}
		})
	}
}

// So does a Dial; but where nothing is, nobody listens.
func TestDialErrors(t *testing.T) {
	r := shmtest.Region(t)
	refused := func(r *shm.Region, name string, want error) {
		t.Helper()
		if c, err := ring.Dial(background, r, name); c != nil || !errors.Is(err, want) {
			t.Errorf("Dial of %q = %v, %v; want %v", name, c, err, want)
		}
	}
	for _, o := range openers {
		if ok, err := o.open(r, o.kind); !ok || err != nil {
			t.Fatalf("open of a %s = %v", o.kind, err)
		}
		if o.kind != "listener" {
			refused(r, o.kind, shm.ErrMismatch)
		}
	}
	for _, r := range []*shm.Region{r, r.Existing()} {
		refused(r, "", fs.ErrInvalid)
		refused(r, "a/b", fs.ErrInvalid)
		refused(r, "typo", syscall.ECONNREFUSED)
		refused(r, "listener", syscall.ECONNREFUSED)
	}
}

// A handle that nobody has opened refuses every call.
func TestZeroHandles(t *testing.T) {
	for _, o := range openers {
		if o.zero == nil {
			continue
		}
		t.Run(o.kind, func(t *testing.T) {
			for call, err := range o.zero(t) {
				if !errors.Is(err, fs.ErrInvalid) {
					t.Errorf("%s of the zero handle = %v, want %v", call, err, fs.ErrInvalid)
				}
			}
		})
	}
}
