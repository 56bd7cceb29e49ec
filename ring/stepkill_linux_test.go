package ring_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"example.com/tandem/ring"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what a Queue can do, in all
// the states a queue can be in (stepkill_scenes_linux_test.go). Messages have
// numbers; the survivors account for each.

func init() { stepkill.Main() }

func TestQueueSlotsKilledAnywhere(t *testing.T)  { playAll(t, "slot") }
func TestQueueBlocksKilledAnywhere(t *testing.T) { playAll(t, "blocks") }
func TestQueueLoansKilledAnywhere(t *testing.T)  { playAll(t, "loan") }

// playAll is all scenes with messages of one form. An ordinary run has each scene in
// one of the forms.
func playAll(t *testing.T, form string) {
	for _, sc := range scenes {
		forms := []string{"slot", "blocks", "loan"}
		if sc.atOnce {
			forms = forms[:2]
		}
		if i, all := stepkill.Pick(t, sc.name, len(forms)); !all {
			forms = forms[i : i+1]
		}
		if !slices.Contains(forms, form) {
			continue
		}
		t.Run(sc.name, func(t *testing.T) {
			stepkill.Every(t, sceneOps[form+sc.name], func(t *testing.T, s *stepkill.Stage) {
				play(t, s, form, sc)
			})
		})
	}
}

// play is one death in a scene.
func play(t *testing.T, s *stepkill.Stage, form string, sc scene) {
	q, err := stepForms[form](s.Region, "q")
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// The scene. Positions are such that what is put next meets the slots of
	// the leased ones.
	for range q.cap - holds {
		must(q.tryPut(999))
		_, err := takeOne(q)
		must(err)
	}
	there := map[int]bool{}
	for n := 1; n <= sc.n; n++ {
		must(q.tryPut(n))
		there[n] = true
	}
	attempts := map[int]int{} // that were had
	var mine, back []lent
	for range sc.leased + sc.returned {
		d, err := q.tryLease()
		must(err)
		mine = append(mine, d)
	}
	for range sc.gotten {
		d, err := takeOne(q)
		must(err)
		delete(there, d.n)
	}
	mine, back = mine[:sc.leased], mine[sc.leased:]
	for _, d := range back {
		must(d.nack())
		attempts[d.n]++
	}
	if sc.shut {
		must(q.shutdown())
	}
	var getters, putters []*stepkill.Peer
	s.OnReady(func() {
		for range sc.getters {
			getters = append(getters, s.StartBlocked(getPeers[form]))
		}
		for range sc.putters {
			putters = append(putters, s.StartBlocked(putPeers[form]))
		}
		for _, p := range slices.Concat(getters, putters) {
			p.Asleep()
		}
	})
	seen := map[int]int{} // by the survivors: number and attempt
	ordered := []int{}    // first attempts, as they came
	take := func(d lent) {
		t.Helper()
		if seen[d.n] != 0 {
			t.Errorf("message %d came twice", d.n)
		}
		if d.attempt <= attempts[d.n] {
			t.Errorf("message %d came with attempt %d after %d", d.n, d.attempt, attempts[d.n])
		}
		seen[d.n] = d.attempt
		if d.attempt == 1 {
			ordered = append(ordered, d.n)
		}
	}
	var wake func()
	if sc.wake != nil {
		wake = func() {
			if sc.does == puts { // room is what it waits for
				if d, err := takeOne(q); err != nil {
					t.Errorf("to make room: %v", err)
				} else {
					take(d)
				}
				return
			}
			sc.wake(q)
			there[150] = true
			if sc.times == 2 {
				there[151] = true
			}
		}
	}

	d := s.Die(wake)

	// Afterwards. The survivors do nothing that would wake a sleeper until it
	// has had its chance: what the victim has done, or its recovery, must.
	ctx := stepkill.Watchdog(t)
	until := func(what string, ok func() bool) {
		t.Helper()
		for ; !ok(); time.Sleep(50 * time.Microsecond) {
			if ctx.Err() != nil {
				t.Fatalf("after a death %v: %s; seen %v", d, what, seen)
			}
		}
	}
	until("it has not been recovered", func() bool {
		return len(s.Region.Participants()) == 1+len(getters)+len(putters)
	})
	shut := sc.shut
	if sc.does == ends {
		shut = true
		switch err := q.tryPut(160); {
		case err == nil:
			there[160] = true
			fallthrough
		case errors.Is(err, ring.ErrFull): // the victim has not come so far
			must(q.shutdown())
		case !errors.Is(err, ring.ErrShutdown):
			t.Error(err)
		}
	}
	for _, l := range mine {
		must(l.ack())
		take(lent{n: l.n, attempt: l.attempt})
	}
	more := 0
	for _, p := range getters {
		until("a getter sleeps", func() bool {
			if n := 300 + more; !shut && q.len() == 0 && more < len(getters) { // there is something for each, then
				must(putPatiently(ctx, q, n, take))
				there[n] = true
				more++
			}
			return p.Returned()
		})
	}
	for _, p := range putters {
		if shut || sc.does == takes && d.Note > 0 { // there is room
			until("a putter sleeps", p.Returned)
		}
	}
	for done := false; !done; time.Sleep(50 * time.Microsecond) {
		if ctx.Err() != nil {
			t.Fatalf("after a death %v: a putter sleeps; seen %v", d, seen)
		}
		done = true // if it was so before the last look
		for _, p := range putters {
			done = p.Returned() && done
		}
		for {
			l, err := takeOne(q)
			if errors.Is(err, ring.ErrEmpty) || shut && errors.Is(err, io.EOF) {
				break
			}
			must(err)
			take(l)
			done = false
		}
	}
	untold := 0
	for _, p := range getters {
		switch n := p.Note(); {
		case n == -1 && shut:
		case n > 0 && seen[n] == 0:
			seen[n] = 1 // or more: Get does not tell
			if n <= sc.n {
				untold++
			}
		default:
			t.Errorf("a getter that slept got %d", n)
		}
	}
	for _, p := range putters {
		if p.Note() != -1 {
			there[200] = true
		} else if !shut {
			t.Error("a putter that slept was told of a shutdown")
		}
	}

	// The account.
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
			t.Errorf("after a death %v: %s %d, want %d to %d; there were %v, seen %v", d, what, n, low, high, there, seen)
		}
	}
	lost, put, tried := 0, 0, 0
	for n := range there {
		if seen[n] == 0 {
			lost++
		}
	}
	for n, attempt := range seen {
		if n > 100 && n <= 100+sc.times {
			put++
			if !there[n-1] && n > 101 && seen[n-1] == 0 {
				t.Errorf("message %d is there without the one before it", n)
			}
		} else if !there[n] {
			t.Errorf("message %d was never put", n)
		}
		tried += attempt - 1 - attempts[n]
	}
	switch sc.does {
	case puts:
		check("messages put", put)
	case takes:
		check("messages taken", lost)
	case tries:
		if tried += untold; tried < low {
			t.Errorf("after a death %v: %d messages of a higher attempt, want %d at least; seen %v", d, tried, low, seen)
		}
	}
	if sc.does != takes && lost != 0 {
		t.Errorf("after a death %v: %d messages lost; there were %v, seen %v", d, lost, there, seen)
	}
	if sc.does != tries && sc.does != takes && tried != 0 {
		t.Errorf("after a death %v: a higher attempt of what nobody took: %v", d, seen)
	}
	if sc.does == puts && !slices.IsSorted(ordered) {
		t.Errorf("after a death %v: messages come as %v", d, ordered)
	}
	whole(t, ctx, q, shut)
}

// putPatiently puts n, taking messages where there is no room.
func putPatiently(ctx context.Context, q *numbers, n int, take func(lent)) error {
	for ctx.Err() == nil {
		err := q.tryPut(n)
		if !errors.Is(err, ring.ErrFull) {
			return err
		}
		if d, err := takeOne(q); err == nil {
			take(d)
		}
	}
	return ctx.Err()
}

// whole checks that an empty queue takes all it can hold, gives it back, and
// ends.
func whole(t *testing.T, ctx context.Context, q *numbers, shut bool) {
	t.Helper()
	if !shut {
		for round := range 3 {
			for n := range holds {
				if err := q.tryPut(400 + n); err != nil {
					t.Fatalf("round %d: message %d of %d: %v", round, n+1, holds, err)
				}
			}
			if err := q.tryPut(500); !errors.Is(err, ring.ErrFull) {
				t.Errorf("message %d of %d: %v", holds+1, holds, err)
			}
			for n := range holds {
				if d, err := takeOne(q); err != nil || d.n != 400+n || d.attempt != 1 {
					t.Fatalf("round %d: message %d, attempt %d, %v; want %d", round, d.n, d.attempt, err, 400+n)
				}
			}
		}
		if err := q.shutdown(); err != nil {
			t.Error(err)
		}
	}
	if _, err := q.get(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("Get after Shutdown = %v, want io.EOF", err)
	}
	if err := q.join(ctx); err != nil {
		t.Errorf("Join = %v", err)
	}
}
