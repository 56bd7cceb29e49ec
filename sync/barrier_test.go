package sync_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func barrier(t testing.TB, r *shm.Region, name string, parties int, action func() error) *sync.Barrier {
	t.Helper()
	b, err := sync.OpenBarrier(r, name, parties, &sync.BarrierOptions{Action: action})
	must(t, err)
	return b
}

// A passage is what a Wait returned.
type passage struct {
	index int
	err   error
}

// comeTo starts n Waits, each by a goroutine.
func comeTo(ctx context.Context, b *sync.Barrier, n int) <-chan passage {
	done := make(chan passage, n)
	for range n {
		go func() {
			i, err := b.Wait(ctx)
			done <- passage{i, err}
		}()
	}
	return done
}

// haveCome waits until n have come.
func haveCome(t testing.TB, b *sync.Barrier, n int) {
	t.Helper()
	for start := time.Now(); b.Waiting() != n; runtime.Gosched() {
		if time.Since(start) > testproc.Patience {
			t.Fatalf("%d wait, not %d", b.Waiting(), n)
		}
	}
}

// passes has a whole round pass, and reports that as which each came is what it should be.
func passes(t testing.TB, b *sync.Barrier) {
	t.Helper()
	done := comeTo(patience(t), b, b.Parties())
	var came []int
	for range b.Parties() {
		p := <-done
		if p.err != nil {
			t.Fatal(p.err)
		}
		came = append(came, p.index)
	}
	slices.Sort(came)
	for i, c := range came {
		if i != c {
			t.Errorf("they came as %v", came)
			break
		}
	}
}

// allBroken expects that n Waits return ErrBroken, and because they were told:
// a wait that breaks the barrier itself, as its own context ends, was not.
func allBroken(t testing.TB, done <-chan passage, n int) {
	t.Helper()
	for range n {
		if p := <-done; p.index != -1 || !errors.Is(p.err, sync.ErrBroken) || errors.Is(p.err, context.DeadlineExceeded) {
			t.Errorf("Wait = %d, %v, want ErrBroken by another", p.index, p.err)
		}
	}
}

// B1, B2, B10, B12: parties of one process, by two handles.
func TestBarrier(t *testing.T) {
	r := shmtest.Region(t)
	for _, parties := range []int{1, 2, 3, 20} {
		b := barrier(t, r, "b"+string(rune('a'+parties)), parties, nil)
		for range 10 {
			passes(t, b)
		}
		if b.Parties() != parties || b.Waiting() != 0 || b.Broken() {
			t.Errorf("after 10 rounds: %d parties, %d wait, broken %v", b.Parties(), b.Waiting(), b.Broken())
		}
	}
	b, same := barrier(t, r, "b", 3, nil), barrier(t, r, "b", 0, nil)
	done := comeTo(patience(t), b, 1)
	haveCome(t, same, 1)
	also := comeTo(patience(t), same, 1)
	haveCome(t, b, 2)
	if i, err := b.Wait(patience(t)); i != 2 || err != nil { // B2: as they came
		t.Errorf("the third came as %d, %v", i, err)
	}
	if p := <-done; p != (passage{0, nil}) {
		t.Errorf("the first came as %d, %v", p.index, p.err)
	}
	if p := <-also; p != (passage{1, nil}) {
		t.Errorf("the second came as %d, %v", p.index, p.err)
	}
}

// B5, B6, B7.
func TestBarrierAbortAndReset(t *testing.T) {
	b := barrier(t, shmtest.Region(t), "b", 3, nil)
	must(t, b.Reset()) // B7: of an idle one
	done := comeTo(patience(t), b, 2)
	haveCome(t, b, 2)
	must(t, b.Abort())
	allBroken(t, done, 2)
	if !b.Broken() || b.Waiting() != 0 {
		t.Errorf("after Abort: broken %v, %d wait", b.Broken(), b.Waiting())
	}
	must(t, b.Abort())
	allBroken(t, comeTo(patience(t), b, 3), 3) // B5: until Reset
	must(t, b.Reset())
	if b.Broken() {
		t.Error("broken after Reset")
	}
	passes(t, b)
	done = comeTo(patience(t), b, 2)
	haveCome(t, b, 2)
	must(t, b.Reset()) // B6
	allBroken(t, done, 2)
	if b.Broken() || b.Waiting() != 0 {
		t.Errorf("after Reset of one who waited: broken %v, %d wait", b.Broken(), b.Waiting())
	}
	must(t, b.Reset())
	passes(t, b)
}

// B8, B9: a context that ends.
func TestBarrierContextEnds(t *testing.T) {
	b := barrier(t, shmtest.Region(t), "b", 3, nil)
	done := comeTo(patience(t), b, 1)
	haveCome(t, b, 1)
	const d = 30 * time.Millisecond
	start := time.Now()
	short, cancel := context.WithTimeout(background, d)
	defer cancel()
	i, err := b.Wait(short)
	if took := time.Since(start); i != -1 || !errors.Is(err, sync.ErrBroken) || !errors.Is(err, context.DeadlineExceeded) || took < d {
		t.Errorf("Wait = %d, %v after %v, want ErrBroken and the deadline of %v", i, err, took, d)
	}
	var e *shm.Error
	if !errors.As(err, &e) || e.Op != "barrier.Wait" || e.Object != "b" || e.Region == "" {
		t.Errorf("the error says %#v", e)
	}
	p := <-done
	if !errors.Is(p.err, sync.ErrBroken) || errors.Is(p.err, context.DeadlineExceeded) {
		t.Errorf("the other is told %v", p.err)
	}
	allBroken(t, comeTo(patience(t), b, 1), 1) // the late one
	must(t, b.Reset())

	done = comeTo(patience(t), b, 2)
	haveCome(t, b, 2)
	<-short.Done() // its timer may be later than a Wait that looks at the clock
	if _, err := b.Wait(short); !errors.Is(err, sync.ErrBroken) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait whose context had ended = %v", err) // it does not come, though it would be the last
	}
	if !b.Broken() {
		t.Fatal("not broken by a Wait whose context had ended") // B9
	}
	allBroken(t, done, 2)
	must(t, b.Reset())
	passes(t, b)
}

// B3, B4: the Action.
func TestBarrierAction(t *testing.T) {
	r := shmtest.Region(t)
	var passed, acted atomic.Int32
	var result error
	b := barrier(t, r, "b", 3, func() error {
		acted.Add(1)
		if passed.Load() != 0 {
			t.Error("somebody passed before the action")
		}
		return result
	})
	for range 5 {
		acted.Store(0)
		var wg gosync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := b.Wait(patience(t)); err != nil {
					t.Error(err)
				}
				passed.Add(1)
			})
		}
		wg.Wait()
		if acted.Load() != 1 {
			t.Errorf("%d actions in a round", acted.Load())
		}
		passed.Store(0)
	}
	result = errors.New("bad")
	done := comeTo(patience(t), b, 2)
	haveCome(t, b, 2)
	if i, err := b.Wait(background); i != -1 || !errors.Is(err, result) || !errors.Is(err, sync.ErrBroken) {
		t.Errorf("Wait whose action fails = %d, %v", i, err)
	}
	allBroken(t, done, 2)
	allBroken(t, comeTo(patience(t), b, 1), 1)
	must(t, b.Reset())

	wild := barrier(t, r, "b", 3, func() error { panic("wild") })
	done = comeTo(patience(t), wild, 2)
	haveCome(t, wild, 2)
	func() {
		defer func() {
			if recover() != "wild" {
				t.Error("a panic of the action is swallowed")
			}
		}()
		wild.Wait(background)
	}()
	allBroken(t, done, 2)
	must(t, b.Reset())
	result = nil
	passes(t, b)
}

// While an Action runs the round may be broken, or reset: then nobody passes.
func TestBarrierEndsDuringAction(t *testing.T) {
	r := shmtest.Region(t)
	for name, end := range map[string]func(b *sync.Barrier) error{"abort": (*sync.Barrier).Abort, "reset": (*sync.Barrier).Reset} {
		in, out := make(chan bool), make(chan bool)
		b := barrier(t, r, name, 2, func() error { in <- true; <-out; return nil })
		done := comeTo(patience(t), b, 2)
		<-in
		if n := b.Waiting(); n != 2 {
			t.Errorf("%d wait during the action", n)
		}
		// One too many: it is of the next round.
		extra := make(chan passage, 1)
		go func() { i, err := b.Wait(patience(t)); extra <- passage{i, err} }()
		waiters(t, 2)
		must(t, end(b))
		out <- true
		allBroken(t, done, 2)
		if name == "abort" {
			allBroken(t, extra, 1)
			continue
		}
		haveCome(t, b, 1)
		done = comeTo(patience(t), b, 1)
		<-in
		out <- true
		for _, c := range []<-chan passage{done, extra} {
			if p := <-c; p.err != nil {
				t.Error(p.err)
			}
		}
	}
}

// B13: twice as many goroutines as parties; each round is of so many, and a
// fast one does not take a slow one's place.
func TestBarrierMoreThanParties(t *testing.T) {
	const parties, goroutines, rounds = 2, 4, 500
	b := barrier(t, shmtest.Region(t), "b", parties, nil)
	ctx := patience(t)
	var came [parties]atomic.Int32
	var tickets atomic.Int32 // for all Waits together, as many as make whole rounds
	var wg gosync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for tickets.Add(1) <= parties*rounds {
				i, err := b.Wait(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				came[i].Add(1)
			}
		})
	}
	wg.Wait()
	for i := range came {
		if n := came[i].Load(); n != rounds {
			t.Errorf("%d came as %d of %d rounds", n, i, rounds)
		}
	}
}

// Close breaks the round for others, and its own are told ErrClosed.
func TestBarrierRegionCloses(t *testing.T) {
	r := shmtest.Region(t)
	b, idle := barrier(t, r, "b", 3, nil), barrier(t, r, "idle", 2, nil)
	done := comeTo(background, b, 2)
	waiters(t, 2)
	must(t, r.Close())
	for range 2 {
		if p := <-done; p.index != -1 || !errors.Is(p.err, shm.ErrClosed) || errors.Is(p.err, sync.ErrBroken) {
			t.Errorf("a waiter in a region that closes is told %v", p.err)
		}
	}
	ended, cancel := context.WithCancel(background)
	cancel()
	_, waitErr := idle.Wait(background)
	_, endedErr := idle.Wait(ended)
	_, openErr := sync.OpenBarrier(r, "b", 3, nil)
	_, marshalErr := b.MarshalBinary()
	for name, err := range map[string]error{"Wait": waitErr, "Wait with an ended context": endedErr, "Abort": b.Abort(),
		"Reset": b.Reset(), "OpenBarrier": openErr, "MarshalBinary": marshalErr} {
		if !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s in a closed region = %v", name, err)
		}
	}
	if b.Waiting() != 0 || b.Broken() {
		t.Errorf("in a closed region: %d wait, broken %v", b.Waiting(), b.Broken())
	}
	r, err := shm.Open(r.Name(), nil)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	b, idle = barrier(t, r, "b", 0, nil), barrier(t, r, "idle", 0, nil)
	if !b.Broken() || idle.Broken() {
		t.Errorf("after the Close of who waited: broken %v; of who did not: %v", b.Broken(), idle.Broken())
	}
	must(t, b.Reset())
	passes(t, b)
	passes(t, idle)
}

// An Action that closes what it is of, and fails, has broken the round, and its Wait says why.
func TestBarrierActionCloses(t *testing.T) {
	bad := errors.New("bad")
	for name, end := range map[string]func(r *shm.Region, b *sync.Barrier) error{
		"handle": func(_ *shm.Region, b *sync.Barrier) error { return b.Close() },
		"region": func(r *shm.Region, _ *sync.Barrier) error { return r.Close() },
	} {
		r := shmtest.Region(t)
		var b *sync.Barrier
		b = barrier(t, r, "b", 1, func() error { return errors.Join(end(r, b), bad) })
		if i, err := b.Wait(background); i != -1 || !errors.Is(err, bad) || !errors.Is(err, sync.ErrBroken) {
			t.Errorf("%s: Wait = %d, %v", name, i, err)
		}
	}
}
