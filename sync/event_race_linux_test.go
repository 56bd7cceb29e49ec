//go:build race

package sync_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

type eventWorld struct {
	r              *shm.Region
	e, same, other *sync.Event
	a              racetest.Moment
}

func (w *eventWorld) wait(e *sync.Event)  { testproc.Must(e.Wait(background)) }
func (w *eventWorld) set(e *sync.Event)   { testproc.Must(e.Set()) }
func (w *eventWorld) clear(e *sync.Event) { testproc.Must(e.Clear()) }

// asleep waits until somebody waits for e.
func (w *eventWorld) asleep() {
	racetest.Unseen(func() bool { return shmtest.Waiting(w.r, "e") == 1 })
}

// late is a Wait that ends with its time.
func (w *eventWorld) late(e *sync.Event) {
	ctx, cancel := context.WithTimeout(background, time.Millisecond)
	defer cancel()
	if err := e.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		testproc.Must(errors.Join(err, errors.New("it was not late")))
	}
}

var eventRacePairs = []racetest.Pair[*eventWorld]{
	{
		Name:   "before Set, and after Wait",
		First:  func(x *int, w *eventWorld) { *x = 1; w.set(w.e) },
		Second: func(x *int, w *eventWorld) { w.wait(w.same); racetest.Sink = *x },
	}, {
		Name:   "Wait that sleeps, and a pulse",
		First:  func(x *int, w *eventWorld) { w.asleep(); *x = 1; w.set(w.e); w.clear(w.e) },
		Second: func(x *int, w *eventWorld) { w.wait(w.same); racetest.Sink = *x },
	}, {
		Name:   "Wait for one that is set",
		First:  func(x *int, w *eventWorld) { *x = 1; w.set(w.e); w.a.Come() },
		Second: func(x *int, w *eventWorld) { w.a.Wait(); w.wait(w.same); racetest.Sink = *x },
	}, {
		Name:  "IsSet that says yes",
		First: func(x *int, w *eventWorld) { *x = 1; w.set(w.e) },
		Second: func(x *int, w *eventWorld) {
			for !w.same.IsSet() {
				runtime.Gosched()
			}
			racetest.Sink = *x
		},
	}, {
		Name:    "a second Set",
		Prepare: func(w *eventWorld) { w.set(w.e) },
		First:   func(x *int, w *eventWorld) { *x = 1; w.set(w.same); w.a.Come() },
		Second:  func(x *int, w *eventWorld) { w.a.Wait(); w.wait(w.e); racetest.Sink = *x },
	}, {
		Name:   "before Set, and after Clear",
		First:  func(x *int, w *eventWorld) { *x = 1; w.set(w.e); w.a.Come() },
		Second: func(x *int, w *eventWorld) { w.a.Wait(); w.clear(w.same); racetest.Sink = *x },
	}, {
		Name:   "after Set",
		First:  func(x *int, w *eventWorld) { w.set(w.e); *x = 1; w.a.Come() },
		Second: func(x *int, w *eventWorld) { w.a.Wait(); w.wait(w.e); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "before Wait",
		First:  func(x *int, w *eventWorld) { *x = 1; w.a.Come(); w.wait(w.e) },
		Second: func(x *int, w *eventWorld) { w.a.Wait(); racetest.Sink = *x; w.set(w.e) },
		Race:   true,
	}, {
		Name:   "of two who wait",
		First:  func(x *int, w *eventWorld) { w.wait(w.e); *x = 1; w.a.Come() },
		Second: func(x *int, w *eventWorld) { w.set(w.e); w.a.Wait(); w.wait(w.same); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "a Wait that ends with its time",
		First:  func(x *int, w *eventWorld) { *x = 1; w.set(w.e); w.clear(w.e); w.a.Come() },
		Second: func(x *int, w *eventWorld) { w.a.Wait(); w.late(w.e); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "IsSet that says no",
		First:  func(x *int, w *eventWorld) { *x = 1; w.set(w.e); w.clear(w.e); w.a.Come() },
		Second: func(x *int, w *eventWorld) { w.a.Wait(); w.e.IsSet(); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:    "another event",
		Prepare: func(w *eventWorld) { w.set(w.other) },
		First:   func(x *int, w *eventWorld) { *x = 1; w.set(w.e); w.a.Come() },
		Second:  func(x *int, w *eventWorld) { w.a.Wait(); w.wait(w.other); racetest.Sink = *x },
		Race:    true,
	},
}

var eventRacer = racetest.Role("racer-event", eventRacePairs, func() *eventWorld {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	w := &eventWorld{r: r}
	for _, h := range []struct {
		e    **sync.Event
		name string
	}{{&w.e, "e"}, {&w.same, "e"}, {&w.other, "other"}} {
		*h.e, err = sync.OpenEvent(r, h.name)
		testproc.Must(err)
	}
	return w
})

func TestRaceDetectorEvent(t *testing.T) { racetest.Run(t, eventRacer, eventRacePairs) }
