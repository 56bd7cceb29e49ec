//go:build race

package waitany

import (
	"errors"
	"slices"
	"testing"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

type anyWorld struct {
	r *shm.Region
	e *sync.Event
	s *sync.Semaphore
	q *ring.Queue[int64]
	o *ring.SPSC[int64]
	a racetest.Moment

	left, right *ring.Conn[int64]
	talk        *ring.Broadcast[int64]
	hears       *ring.Subscriber[int64]
}

// any waits for all of them, of which number i is to be ready.
func (w *anyWorld) any(i int) {
	got, err := shm.WaitAny(bg, w.e, w.s, w.q, w.o, w.right, w.hears)
	if err == nil && got != i {
		err = errors.New("another is ready")
	}
	testproc.Must(err)
}

func (w *anyWorld) asleep() {
	racetest.Unseen(func() bool { return shmtest.Waiting(w.r, "e") == 1 })
}

var anyRacePairs = slices.Concat([]racetest.Pair[*anyWorld]{
	{
		Name:   "before Set, and after WaitAny",
		First:  func(x *int, w *anyWorld) { *x = 1; testproc.Must(w.e.Set()) },
		Second: func(x *int, w *anyWorld) { w.any(0); racetest.Sink = *x },
	}, {
		Name: "WaitAny that sleeps, and a pulse",
		First: func(x *int, w *anyWorld) {
			w.asleep()
			*x = 1
			testproc.Must(w.e.Set())
			testproc.Must(w.e.Clear())
		},
		Second: func(x *int, w *anyWorld) { w.any(0); racetest.Sink = *x },
	}, {
		Name:   "before Release, and after WaitAny",
		First:  func(x *int, w *anyWorld) { *x = 1; testproc.Must(w.s.Release(1)) },
		Second: func(x *int, w *anyWorld) { w.any(1); racetest.Sink = *x },
	}, {
		Name:  "before Put, and after the TryGet behind WaitAny",
		First: func(x *int, w *anyWorld) { *x = 1; testproc.Must(w.q.Put(bg, 1)) },
		Second: func(x *int, w *anyWorld) {
			w.any(2)
			_, err := w.q.TryGet()
			testproc.Must(err)
			racetest.Sink = *x
		},
	}, {
		Name:   "before Put, and after WaitAny alone",
		First:  func(x *int, w *anyWorld) { *x = 1; testproc.Must(w.q.Put(bg, 1)) },
		Second: func(x *int, w *anyWorld) { w.any(2); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "after Set",
		First:  func(x *int, w *anyWorld) { testproc.Must(w.e.Set()); *x = 1; w.a.Come() },
		Second: func(x *int, w *anyWorld) { w.a.Wait(); w.any(0); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:    "a WaitAny, and another after it", // which uses what the first one had
		Prepare: func(w *anyWorld) { testproc.Must(w.q.Put(bg, 1)) },
		First:   func(x *int, w *anyWorld) { *x = 1; w.any(2); w.a.Come() },
		Second:  func(x *int, w *anyWorld) { w.a.Wait(); w.any(2); racetest.Sink = *x },
		Race:    true,
	},
}, messageRacePairs)

// Whatever messages come by, the call that gets one is what orders, and WaitAny is not.
var messageRacePairs = func() (pairs []racetest.Pair[*anyWorld]) {
	for _, m := range []struct {
		what       string
		i          int
		give, take func(w *anyWorld) error
	}{
		{"an SPSC", 3, func(w *anyWorld) error { return w.o.Put(bg, 1) }, func(w *anyWorld) error { _, err := w.o.TryGet(); return err }},
		{"a pipe", 4, func(w *anyWorld) error { return w.left.Send(bg, 1) }, func(w *anyWorld) error { _, err := w.right.Recv(bg); return err }},
		{"a broadcast", 5, func(w *anyWorld) error { return w.talk.Publish(bg, 1) }, func(w *anyWorld) error { _, _, err := w.hears.Next(bg); return err }},
	} {
		gives := func(x *int, w *anyWorld) { *x = 1; testproc.Must(m.give(w)) }
		pairs = append(pairs, racetest.Pair[*anyWorld]{
			Name:   "before a message of " + m.what + ", and after it was got behind WaitAny",
			First:  gives,
			Second: func(x *int, w *anyWorld) { w.any(m.i); testproc.Must(m.take(w)); racetest.Sink = *x },
		}, racetest.Pair[*anyWorld]{
			Name:   "before a message of " + m.what + ", and after it was got behind a WaitAny that slept",
			First:  func(x *int, w *anyWorld) { w.asleep(); gives(x, w) },
			Second: func(x *int, w *anyWorld) { w.any(m.i); testproc.Must(m.take(w)); racetest.Sink = *x },
		}, racetest.Pair[*anyWorld]{
			Name:   "before a message of " + m.what + ", and after WaitAny alone",
			First:  gives,
			Second: func(x *int, w *anyWorld) { w.any(m.i); racetest.Sink = *x },
			Race:   true,
		})
	}
	return pairs
}()

var anyRacer = racetest.Role("waitany racer", anyRacePairs, func() *anyWorld {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	w := &anyWorld{r: r}
	w.e, err = sync.OpenEvent(r, "e")
	testproc.Must(err)
	w.s, err = sync.OpenSemaphore(r, "s", 0)
	testproc.Must(err)
	w.q, err = ring.OpenQueue[int64](r, "q", nil)
	testproc.Must(err)
	w.o, err = ring.OpenSPSC[int64](r, "o", nil)
	testproc.Must(err)
	w.left, err = ring.OpenPipe[int64](r, "p", ring.Left, nil)
	testproc.Must(err)
	w.right, err = ring.OpenPipe[int64](r, "p", ring.Right, nil)
	testproc.Must(err)
	w.talk, err = ring.OpenBroadcast[int64](r, "b", nil)
	testproc.Must(err)
	w.hears, err = w.talk.Subscribe()
	testproc.Must(err)
	return w
})

func TestRaceDetector(t *testing.T) { racetest.Run(t, anyRacer, anyRacePairs) }
