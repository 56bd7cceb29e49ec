package ring_test

import (
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"example.com/tandem/ring"
	"example.com/tandem/test/stepkill"
)

// One death in a scene of a broadcast, and what the survivors find.

// A hearer is the survivors' subscriber, and what it has got.
type hearer struct {
	*heard
	got    []int
	missed int
}

// take gets what there is, or at most so many.
func (l *hearer) take(most int) error {
	for range most {
		n, missed, err := l.try()
		l.missed += int(missed)
		if errors.Is(err, ring.ErrEmpty) || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		l.got = append(l.got, n)
	}
	return nil
}

const allThere = 1 << 20

func (sc saidScene) play(t *testing.T, stage *stepkill.Stage) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := saidForms[sc.form](stage.Region, "b")
	must(err)
	var mine hearer
	subscribe := func() {
		mine.heard, err = b.subscribe()
		must(err)
	}
	if sc.unread {
		subscribe()
	}
	var all []int // that the survivor has to get, or to miss
	n := 0
	say := func(these string) {
		t.Helper()
		for _, blocks := range sizes(these) {
			n++
			must(b.try(n, blocks))
			all = append(all, n)
		}
	}
	say(sc.there)
	if p := b.pool(); sc.shape != [3]int{} && (sc.shape != [3]int{p.Pieces[0], p.Free, p.Row} || len(p.Wrong) > 0) {
		t.Fatalf("the scene is %+v, not %v", p, sc.shape)
	}
	if !sc.unread {
		subscribe()
		all = nil
	}
	var reader, putter *stepkill.Peer
	attached := 1
	stage.OnReady(func() {
		if say(sc.then); sc.subscribed {
			must(mine.take(allThere))
		}
		if sc.reader {
			reader = stage.StartBlocked(hearsAll)
			attached++
			reader.Asleep()
		}
		if sc.putter {
			putter = stage.StartBlocked(saysOne)
			attached++
			putter.Asleep()
		}
		if sc.over {
			must(b.shutdown())
		}
		if sc.half {
			b.halfShut()
		}
	})
	over := func() bool { return len(stage.Region.Participants()) == attached } // the victim is recovered
	var wake func()
	switch {
	case sc.waits && sc.does == puts:
		wake = func() {
			room := func() {
				if err := mine.take(1); err != nil {
					t.Error(err)
				}
			}
			if room(); sc.inHand {
				for before := b.pool().Free; b.pool().Free == before && !over(); time.Sleep(20 * time.Microsecond) {
				}
				if err := b.try(150, 1); err == nil {
					all = append(all, 150)
				} else if !errors.Is(err, ring.ErrFull) { // the victim was faster
					t.Error(err)
				}
				for range 20 {
					if time.Sleep(time.Millisecond); over() {
						break
					}
				}
				room()
			}
		}
	case sc.waits:
		wake = func() {
			if err := b.try(150, 1); err != nil {
				t.Error(err)
			}
			all = append(all, 150)
		}
	}
	d := stage.Die(wake)

	// Afterwards. The survivors do nothing that would wake a sleeper until it has had its
	// chance: what the victim has done, or its recovery, must.
	ctx := stepkill.Watchdog(t)
	until := func(what string, ok func() bool) {
		t.Helper()
		for ; !ok(); time.Sleep(50 * time.Microsecond) {
			if ctx.Err() != nil {
				t.Fatalf("after a death %v: %s; got %v", d, what, mine.got)
			}
		}
	}
	until("it has not been recovered", over)
	var late []int // what comes behind the victim's
	low, high := d.Note, 1
	if d.Returned {
		low = 1
	}
	shut := sc.does == ends || sc.over || sc.half
	if shut {
		switch err := b.try(160, 1); {
		case low == 0 && err == nil:
			late = append(late, 160)
			fallthrough
		case low == 0 && errors.Is(err, ring.ErrFull): // the victim has not come so far
			must(b.shutdown())
		case !errors.Is(err, ring.ErrShutdown):
			t.Errorf("after a death %v: %v", d, err)
		}
	}
	if putter != nil {
		if !shut && sc.unread {
			must(mine.take(1)) // the survivor has kept it waiting
		}
		until("a publisher sleeps", putter.Returned)
		if end := putter.Note() == -1; end != shut {
			t.Errorf("after a death %v: a publisher was told of an end: %v", d, end)
		}
		if !shut {
			late = append(late, 200)
		}
	}
	if p := b.pool(); len(p.Wrong) > 0 || p.Rows != attached-boolOf(putter != nil) {
		t.Errorf("after a death %v: %+v", d, p)
	}
	must(mine.take(allThere))
	theirs := 0
	if sc.does == puts {
		if slices.Contains(mine.got, 101) {
			theirs = 1
			all = append(all, 101)
		}
		if theirs < low || theirs > high {
			t.Errorf("after a death %v: published %d, want %d to %d; got %v", d, theirs, low, high, mine.got)
		}
	}
	told := 0
	tell := func(n int) { // the sleeping subscriber has seen so many more
		t.Helper()
		if told += n; reader != nil {
			until("a subscriber sleeps", func() bool { return reader.Note() == told })
		}
	}
	tell(theirs)
	sc.account(t, d, &mine, append(all, late...), n, theirs)
	if !shut {
		sc.whole(t, d, b, &mine, tell)
		must(b.shutdown())
	}
	if reader != nil {
		until("a subscriber has no end", reader.Returned)
	}
	if v, missed, err := mine.try(); !errors.Is(err, io.EOF) || missed != 0 {
		t.Errorf("after a death %v, and an end: %d, %d missed, %v", d, v, missed, err)
	}
}

func boolOf(is bool) int {
	if is {
		return 1
	}
	return 0
}

// account holds what the survivor got against all that there was.
func (sc saidScene) account(t *testing.T, d stepkill.Death, mine *hearer, all []int, n, theirs int) {
	t.Helper()
	least, most := 0, 0 // missed
	if sc.form == "lossy" {
		least = max(0, n-saidSlots) // before the victim came
		if most = least + sc.loses; theirs == 1 {
			least = most
		}
	}
	if mine.missed < least || mine.missed > most || len(mine.got)+mine.missed != len(all) || !slices.Equal(mine.got, all[mine.missed:]) {
		t.Errorf("after a death %v: got %v, and missed %d, want %d to %d; there were %v", d, mine.got, mine.missed, least, most, all)
	}
}

// whole checks that all slots, and then all blocks, are to be had. tell waits for others that
// have to see what is published.
func (sc saidScene) whole(t *testing.T, d stepkill.Death, b *said, mine *hearer, tell func(n int)) {
	t.Helper()
	fills := []string{fullRing}
	if sc.form != "plain" {
		fills = append(fills, fullMemory)
	}
	for _, fill := range fills {
		*mine = hearer{heard: mine.heard}
		var all []int
		for _, blocks := range sizes(fill) {
			all = append(all, 400+len(all))
			if err := b.try(all[len(all)-1], blocks); err != nil {
				t.Fatalf("after a death %v: message %d of %s: %v", d, len(all), fill, err)
			}
		}
		if sc.form != "lossy" {
			if err := b.try(500, 1); !errors.Is(err, ring.ErrFull) {
				t.Errorf("after a death %v: one more than %s: %v", d, fill, err)
			}
		}
		if err := mine.take(allThere); err != nil || mine.missed != 0 || !slices.Equal(mine.got, all) {
			t.Errorf("after a death %v: got %v, %d missed, %v; want %v", d, mine.got, mine.missed, err, all)
		}
		tell(len(all))
	}
	if p := b.pool(); len(p.Wrong) > 0 {
		t.Errorf("after a death %v, and some more messages: %+v", d, p)
	}
}
