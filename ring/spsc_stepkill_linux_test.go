package ring_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what a producer, a consumer, or one who
// shuts down does to an SPSC. Messages have numbers; whoever takes the side then goes on
// where the victim was.

type tagged [2]int64

func tag(n int) tagged { return tagged{int64(n), int64(-n)} }

func openTagged(r *shm.Region, name string) (*ring.SPSC[tagged], error) {
	return ring.OpenSPSC[tagged](r, name, &ring.SPSCOptions{Capacity: holds})
}

// A sideScene is a state of an SPSC and what a victim does then.
type sideScene struct {
	name   string
	does   effect
	n      int  // messages 1 to n are there; where the victim puts, they are its own,
	gone   int  // or so many of them were got, where it gets, by itself
	times  int  // it does it so often, and notes each time;
	atOnce bool // or notes all of them, or none
	do     func(s *ring.SPSC[tagged]) error
	peer   bool // somebody is asleep on the other side, or where the victim shuts down, in Get,
	putter bool // or in Put
	waits  bool // the victim is asleep, until the other side does something
}

var sideScenes = []sideScene{
	{name: "put, the side not taken yet", does: puts, times: 2, do: putTagged(2)},
	{name: "put, part full", does: puts, n: 2, times: 2, do: putTagged(2)},
	{name: "put, full", does: puts, n: holds, times: 1, do: putTagged(1), waits: true},
	{name: "put, a consumer asleep", does: puts, times: 2, do: putTagged(2), peer: true},
	{name: "try to put, a consumer asleep", does: puts, times: 2, do: tryPutTagged, peer: true},
	{name: "put a batch", does: puts, n: 1, times: 2, atOnce: true, do: putTaggedBatch, peer: false},
	{name: "put a batch round the end", does: puts, n: 3, gone: 2, times: 2, atOnce: true, do: putTaggedBatch},
	{name: "put a batch, full", does: puts, n: holds, times: 2, atOnce: true, do: putTaggedBatch, waits: true},
	{name: "put a batch, a consumer asleep", does: puts, times: 2, atOnce: true, do: putTaggedBatch, peer: true},
	{name: "get, the side not taken yet", does: takes, n: holds, times: 2, do: getTagged(2)},
	{name: "get, empty", does: takes, times: 1, do: getTagged(1), waits: true},
	{name: "get, a producer asleep", does: takes, n: holds, times: 2, do: getTagged(2), peer: true},
	{name: "try to get, a producer asleep", does: takes, n: holds, times: 2, do: tryGetTagged, peer: true},
	{name: "get a batch", does: takes, n: 3, times: 2, atOnce: true, do: getTaggedBatch},
	{name: "get a batch round the end", does: takes, n: holds + 1, gone: 3, times: 2, atOnce: true, do: getTaggedBatch},
	{name: "get a batch, empty", does: takes, times: 2, atOnce: true, do: getTaggedBatch, waits: true},
	{name: "get a batch, a producer asleep", does: takes, n: holds, times: 2, atOnce: true, do: getTaggedBatch, peer: true},
	{name: "shut down", does: ends, n: 2, times: 1, do: shutTagged},
	{name: "shut down, a consumer asleep", does: ends, times: 1, do: shutTagged, peer: true},
	{name: "shut down, a producer asleep", does: ends, n: holds, times: 1, do: shutTagged, peer: true, putter: true},
}

func putTagged(n int) func(s *ring.SPSC[tagged]) error {
	return func(s *ring.SPSC[tagged]) error {
		return times(n, func(i int) error { return s.Put(background, tag(101+i)) })
	}
}

func getTagged(n int) func(s *ring.SPSC[tagged]) error {
	return func(s *ring.SPSC[tagged]) error {
		return times(n, func(int) error { _, err := s.Get(background); return err })
	}
}

func tryPutTagged(s *ring.SPSC[tagged]) error {
	return times(2, func(i int) error { return s.TryPut(tag(101 + i)) })
}

func tryGetTagged(s *ring.SPSC[tagged]) error {
	return times(2, func(int) error { _, err := s.TryGet(); return err })
}

func putTaggedBatch(s *ring.SPSC[tagged]) error {
	n, err := s.PutBatch(background, []tagged{tag(101), tag(102)})
	return noted(n, err)
}

func getTaggedBatch(s *ring.SPSC[tagged]) error {
	n, err := s.GetBatch(background, make([]tagged, 2))
	return noted(n, err)
}

func noted(n int, err error) error {
	if err == nil && n != 2 {
		err = fmt.Errorf("a batch of %d, not 2", n)
	}
	if err == nil {
		stepkill.Note(n)
	}
	return err
}

func shutTagged(s *ring.SPSC[tagged]) error {
	return times(1, func(int) error { return s.Shutdown() })
}

var (
	sideOps = map[string]stepkill.Op{}
	_       = registerSides()

	// A consumer notes how many it has got, to the end.
	consumes = stepkill.Register("peer gets all", func(r *shm.Region) (func() error, error) {
		s, err := openTagged(r, "s")
		return func() error {
			for n := 1; ; n++ {
				v, err := s.Get(background)
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err == nil && v != tag(100+n) {
					err = fmt.Errorf("%v came as number %d", v, n)
				}
				if err != nil {
					return err
				}
				stepkill.Note(n)
			}
		}, err
	})
	// A producer puts one message more than there is room for, and notes -1 if there is an end.
	produces = stepkill.Register("peer puts all", func(r *shm.Region) (func() error, error) {
		s, err := openTagged(r, "s")
		return func() error {
			for n := range holds + 1 {
				if err := s.Put(background, tag(1+n)); errors.Is(err, ring.ErrShutdown) {
					stepkill.Note(-1)
					return nil
				} else if err != nil {
					return err
				}
			}
			return nil
		}, err
	})
)

func registerSides() bool {
	for _, sc := range sideScenes {
		sideOps[sc.name] = stepkill.Rehearsed("spsc: "+sc.name, "s", func(r *shm.Region, name string) (func() error, error) {
			s, err := openTagged(r, name)
			if err != nil || name == stepkill.Rehearsal {
				return func() error { return rehearseSides(s) }, err
			}
			for n := 1; sc.does == puts && n <= sc.n && err == nil; n++ {
				err = s.TryPut(tag(n))
			}
			for n := 1; sc.does == takes && n <= sc.gone && err == nil; n++ {
				_, err = s.TryGet()
			}
			return func() error { return sc.do(s) }, err
		})
	}
	return true
}

// rehearseSides does everything once.
func rehearseSides(s *ring.SPSC[tagged]) error {
	two := make([]tagged, 2)
	_, put := s.PutBatch(background, two)
	_, get := s.GetBatch(background, two)
	err := errors.Join(put, get, s.Put(background, tag(1)))
	if _, got := s.Get(background); got != nil {
		err = errors.Join(err, got)
	}
	try := s.TryPut(tag(1))
	if _, got := s.TryGet(); got != nil {
		err = errors.Join(err, got)
	}
	return errors.Join(err, try, s.Shutdown())
}

func TestSPSCKilledAnywhere(t *testing.T) {
	for _, sc := range stepkill.Some(t, sideScenes...) {
		t.Run(sc.name, func(t *testing.T) {
			stepkill.Every(t, sideOps[sc.name], func(t *testing.T, s *stepkill.Stage) { sc.play(t, s) })
		})
	}
}

// play is one death.
func (sc sideScene) play(t *testing.T, stage *stepkill.Stage) {
	s, err := openTagged(stage.Region, "s")
	if err != nil {
		t.Fatal(err)
	}
	put := func(n int) {
		t.Helper()
		if err := s.TryPut(tag(n)); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
	}
	for n := 1; sc.does != puts && !sc.peer && n <= min(sc.n, holds); n++ {
		put(n)
	}
	var got []int
	take := func() bool {
		t.Helper()
		v, err := s.TryGet()
		if errors.Is(err, ring.ErrEmpty) || errors.Is(err, io.EOF) {
			return false
		}
		if err != nil || v[0] != -v[1] {
			t.Fatalf("%v, %v; before it came %v", v, err, got)
		}
		got = append(got, int(v[0]))
		return true
	}
	var peer *stepkill.Peer
	stage.OnReady(func() {
		for n := 1; n <= sc.gone; n++ {
			if sc.does == puts {
				take()
			} else if holds+n <= sc.n {
				put(holds + n)
			}
		}
		if sc.peer && (sc.does == takes || sc.putter) {
			peer = stage.StartBlocked(produces)
		} else if sc.peer {
			peer = stage.StartBlocked(consumes)
		}
		if peer != nil {
			peer.Asleep()
		}
	})
	total := sc.n
	wake := func() { // all that it waits for is there at once
		two := make([]tagged, sc.times)
		if sc.does == puts {
			if n, err := s.GetBatch(background, two); n != sc.times || err != nil {
				t.Error(n, err)
			}
			for _, v := range two {
				if got = append(got, int(v[0])); v != tag(int(v[0])) {
					t.Error(v)
				}
			}
			return
		}
		for i := range two {
			two[i] = tag(1 + i)
		}
		total = sc.times
		if n, err := s.PutBatch(background, two); n != sc.times || err != nil {
			t.Error(n, err)
		}
	}
	if !sc.waits {
		wake = nil
	}
	d := stage.Die(wake)

	ctx := stepkill.Watchdog(t)
	until := func(what string, ok func() bool) {
		t.Helper()
		for ; !ok(); time.Sleep(50 * time.Microsecond) {
			if ctx.Err() != nil {
				t.Fatalf("after a death %v: %s; seen %v", d, what, got)
			}
		}
	}
	attached := 1
	if peer != nil {
		attached = 2
	}
	until("it has not been recovered", func() bool { return len(stage.Region.Participants()) == attached })
	low, high := d.Note, min(d.Note+1, sc.times)
	if sc.atOnce {
		high = sc.times
	}
	if d.Returned {
		low = sc.times
	}
	check := func(what string, n int) {
		t.Helper()
		if n < low || n > high {
			t.Errorf("after a death %v: %s %d, want %d to %d; seen %v", d, what, n, low, high, got)
		}
		if sc.atOnce && n%sc.times != 0 {
			t.Errorf("after a death %v: %s %d, want %d or none; seen %v", d, what, n, sc.times, got)
		}
	}
	var shut error
	switch {
	case sc.does == puts && peer != nil: // what it put has woken the consumer, and nothing else does
		until("the consumer sleeps", func() bool { return peer.Note() >= low })
		shut = s.Shutdown()
		until("the consumer has no end", peer.Returned)
		check("messages put", peer.Note())
		sc.over(t, s, shut)
		return
	case sc.does == puts:
		for take() {
		}
		for i, n := range got {
			if want := i + 1; n != want && n != 101+i-sc.n {
				t.Errorf("after a death %v: seen %v", d, got)
			}
		}
		check("messages put", len(got)-sc.n)
	case sc.does == takes:
		if peer != nil {
			total = holds + 1
			if low > 0 {
				until("the producer sleeps", peer.Returned)
			}
		}
		until("the producer sleeps", func() bool {
			for take() {
			}
			return peer == nil || peer.Returned()
		})
		for take() {
		}
		for i, n := range got {
			if n != total-len(got)+1+i {
				t.Errorf("after a death %v: seen %v, of %d", d, got, total)
			}
		}
		check("messages taken", total-len(got)-sc.gone)
	case sc.does == ends:
		if low == 1 {
			if err := s.TryPut(tag(7)); !errors.Is(err, ring.ErrShutdown) {
				t.Errorf("after a death %v: Put = %v", d, err)
			}
		}
		if peer != nil {
			if low == 0 {
				shut = s.Shutdown()
			}
			until("one that sleeps has no end", peer.Returned)
			for sc.putter && take() {
			}
			if sc.putter && (peer.Note() != -1 || fmt.Sprint(got) != "[1 2 3 4]") {
				t.Errorf("after a death %v: the producer has %d; seen %v", d, peer.Note(), got)
			}
			sc.over(t, s, shut)
			return
		}
		shut = s.Shutdown()
		for take() {
		}
		if fmt.Sprint(got) != "[1 2]" {
			t.Errorf("after a death %v: seen %v", d, got)
		}
		sc.over(t, s, shut)
		return
	}
	if peer != nil { // it has the producer's side
		return
	}
	got = nil
	for n := range holds {
		put(400 + n)
	}
	if err := s.TryPut(tag(1)); !errors.Is(err, ring.ErrFull) {
		t.Errorf("after a death %v: message %d of %d = %v", d, holds+1, holds, err)
	}
	for take() {
	}
	if fmt.Sprint(got) != "[400 401 402 403]" {
		t.Errorf("after a death %v: then %v came", d, got)
	}
	sc.over(t, s, s.Shutdown())
}

// over checks that nothing is put any more.
func (sc sideScene) over(t *testing.T, s *ring.SPSC[tagged], shut error) {
	t.Helper()
	if shut != nil {
		t.Error(shut)
	}
	if err := s.Put(background, tag(1)); !errors.Is(err, ring.ErrShutdown) {
		t.Errorf("Put after Shutdown = %v", err)
	}
}

// Recovery: a process has both sides, and dies. Who recovers it dies over that, and the
// next one finishes.
var (
	sidesLeft = stepkill.Register("peer leaves an SPSC", func(r *shm.Region) (func() error, error) {
		s, err := openTagged(r, "s")
		return func() error {
			_, got := s.Get(background)
			return errors.Join(got, s.Put(background, tag(5)))
		}, err
	})
	openRecoversSides = stepkill.RegisterOpen("open recovers an SPSC")
	guardHealsSides   = stepkill.RegisterGuard("guard recovers an SPSC", func(r *shm.Region) error {
		_, err := openTagged(r, "s")
		return err
	})
)

func TestSPSCRecoveryKilledAnywhere(t *testing.T) {
	for _, tt := range stepkill.Some(t, []struct {
		by      string
		op      stepkill.Op
		records int // 1: the one that attaches must recover to get one
	}{{"open", openRecoversSides, 1}, {"guard", guardHealsSides, 4}}...) {
		t.Run(tt.by, func(t *testing.T) {
			stepkill.EveryRecovery(t, tt.op, tt.records, func(t *testing.T, r *shm.Region) {
				s, err := openTagged(r, "s")
				for n := 1; n <= 3 && err == nil; n++ {
					err = s.TryPut(tag(n))
				}
				if err != nil {
					t.Fatal(err)
				}
			}, sidesLeft, func(t *testing.T, r *shm.Region, d stepkill.Death) {
				s, err := openTagged(r, "s")
				if err != nil {
					t.Fatal(err)
				}
				if err := s.TryPut(tag(6)); err != nil {
					t.Errorf("after a death %v: Put = %v", d, err)
				}
				for _, want := range []int{2, 3, 5, 6} {
					if v, err := s.TryGet(); v != tag(want) || err != nil {
						t.Errorf("after a death %v: Get = %v, %v; want %d", d, v, err, want)
					}
				}
			})
		})
	}
}
