package golden

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// Today's code reads the images. Those who were killed in them are found dead
// by who opens one, and recovered.

func openImage(t *testing.T, name string) *shm.Region {
	t.Helper()
	r := check(shm.Open(copyImage(t, name), nil))(t)
	t.Cleanup(func() {
		if err := r.Check(); err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func check[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestReadEmpty(t *testing.T) {
	r := openImage(t, "empty")
	want(t, "size", r.Size(), int64(77824))
	want(t, "index", r.Self().Index, 1) // 0 was the last to be used
	want(t, "epoch", r.Self().Epoch, uint32(1))
	for o := range r.Objects() {
		t.Errorf("there is %v", o)
	}
}

func TestReadCells(t *testing.T) {
	r := openImage(t, "cells").Existing()
	want(t, "balance", check(atomics.OpenValue(r, "balance", int64(0)))(t).Load(), int64(-5_000_000_000))
	want(t, "level", check(atomics.OpenValue(r, "level", uint8(0)))(t).Load(), uint8(200))
	want(t, "on", check(atomics.OpenValue(r, "on", false))(t).Load(), true)
	want(t, "ratio", check(atomics.OpenValue(r, "ratio", 0.0))(t).Load(), -3.25)
	want(t, "pair", check(atomics.OpenValue(r, "pair", pair{}))(t).Load(), pair{true, -2})
	var temps [5]int16
	check(atomics.OpenArray[int16](r, "temps", 0))(t).CopyTo(temps[:])
	want(t, "temps", temps, [5]int16{-1, 2, -300, 400, -32768})
	var weights [3]float32
	check(atomics.OpenArray[float32](r, "weights", 0))(t).CopyTo(weights[:])
	want(t, "weights", weights, [3]float32{0.5, -1.25, 1 << 20})
	for i, x := range check(atomics.OpenArray[uint64](r, "page", 0))(t).All() {
		if x != ^uint64(i) {
			t.Fatalf("page[%d] = %#x", i, x)
		}
	}
	rows := check(atomics.OpenSlice[row](r, "rows", 0))(t).Data()
	wanted := [2]row{{ID: 1 << 63, Grid: [2][3]float32{{1, 2, 3}, {4, 5, 6}}}, {Done: true}}
	wanted[1].Legs[1].Length, wanted[1].Legs[1].Dir = 65535, -128
	want(t, "rows", [2]row(rows), wanted)
	_, err := atomics.OpenValue(r, "old", 0)
	wantErr(t, "the removed one", err, fs.ErrNotExist)
	_, err = atomics.OpenValue(r, "ratio", int64(0))
	wantErr(t, "another type", err, shm.ErrMismatch)
}

func TestReadWide(t *testing.T) {
	r := openImage(t, "wide").Existing()
	v := check(atomics.OpenValue(r, "track", track{}))(t)
	want(t, "track", v.Load(), wideTrack)
	wantErr(t, "its lock", v.Lock(testproc.Watchdog(t)), shm.ErrOwnerDied)
	want(t, "first", check(atomics.OpenValue(r, "first", track{}))(t).Load(), track{Up: true, XYZ: [3]float32{0.5, -2, 4}})
	var pixels [4]pixel
	check(atomics.OpenArray[pixel](r, "pixels", 0))(t).CopyTo(pixels[:])
	want(t, "pixels", pixels, [4]pixel{{1, 2, 3}, {255, 254, 253}, {}, {7, 8, 9}})
	sheets := check(atomics.OpenArray[sheet](r, "sheets", 0))(t)
	want(t, "sheet 0", sheets.Load(0), sheet{})
	want(t, "sheet 1", sheets.Load(1), sheet{0: 1, 39: -39})
	for i := range int64(20) { // the copies of the dead are there again
		v.Store(track{At: i})
		sheets.Store(0, sheet{0: i})
		want(t, "stored", v.Load(), track{At: i})
		want(t, "stored", sheets.Load(0), sheet{0: i})
	}
	_, err := atomics.OpenValue(r, "first", [4]int64{})
	wantErr(t, "another type", err, shm.ErrMismatch)
}

// wideTrack is what the scene leaves.
var wideTrack = track{At: 1010, Up: true, XYZ: [3]float32{2: 4}}

// What nobody has open of what an earlier build left is taken back.
func TestReadUnopened(t *testing.T) {
	ctx, path := testproc.Watchdog(t), copyImage(t, "unopened")
	if d := snapshot(t, path).Directory; d.Removed != 1 || d.Unopened != 1 {
		t.Fatalf("%d removed, %d of them unopened", d.Removed, d.Unopened)
	}
	r := check(shm.Open(path, nil))(t)
	defer r.Close()
	for check(r.Snapshot())(t).Directory.Removed > 0 {
		if time.Sleep(time.Millisecond); ctx.Err() != nil {
			t.Fatal("it stays")
		}
	}
	want(t, "Check", r.Check(), nil)
}

func TestReadHeld(t *testing.T) {
	r := openImage(t, "held").Existing()
	want(t, "participants", len(r.Participants()), 1)
	config := check(sync.OpenMutex(r, "config"))(t)
	wantErr(t, "Lock of the dead one's", config.Lock(testproc.Watchdog(t)), shm.ErrOwnerDied)
	want(t, "suspect", check(config.Recover(testproc.Watchdog(t)))(t), true)
	want(t, "MarkConsistent", config.MarkConsistent(), nil)
	want(t, "Unlock", config.Unlock(), nil)
	guarded := check(atomics.OpenValue(r, "guarded", uint32(0)))(t)
	want(t, "guarded", guarded.Load(), uint32(8))
	wantErr(t, "its lock", guarded.Lock(testproc.Watchdog(t)), shm.ErrOwnerDied)
	want(t, "free", check(check(sync.OpenMutex(r, "free"))(t).TryLock())(t), true)
	_, err := sync.OpenMutex(r, "gone")
	wantErr(t, "the removed one", err, fs.ErrNotExist)
}

func TestReadQueue(t *testing.T) {
	r := openImage(t, "queue").Existing()
	ctx := testproc.Watchdog(t)

	numbers := check(ring.OpenQueue[uint64](r, "numbers", nil))(t)
	want(t, "numbers", numbers.Len(), 2)
	want(t, "numbers 3", check(numbers.Get(ctx))(t), uint64(1<<40+3))
	want(t, "numbers 4", check(numbers.Get(ctx))(t), uint64(1<<40+4))
	want(t, "TaskDone", numbers.TaskDone(), nil)
	want(t, "TaskDone", numbers.TaskDone(), nil)
	want(t, "Join", numbers.Join(ctx), nil) // what the dead had not done is forgotten

	pages := check(ring.OpenQueue[[20]int64](r, "pages", nil))(t)
	want(t, "pages", check(pages.Get(ctx))(t), [20]int64{0: -1, 19: 19})
	weeks := check(ring.OpenQueue[[7]int64](r, "weeks", nil))(t)
	want(t, "weeks", check(weeks.Get(ctx))(t), [7]int64{6: 7})
	want(t, "weeks 2", check(weeks.Get(ctx))(t), [7]int64{6: -7})
	words := check(ring.OpenQueue[string](r, "texts", nil))(t)
	want(t, "texts 2", check(words.Get(ctx))(t), long("abc"))
	want(t, "texts 3", check(words.Get(ctx))(t), strings.Repeat("x", 113))

	// Of the returned ones job 0 was on lease when its holder was killed.
	jobs := check(ring.OpenQueue[string](r, "jobs", nil))(t)
	for _, job := range []struct {
		text    string
		attempt int
	}{{"job 0", 2}, {"job 3", 2}, {"job 4", 1}} {
		d := check(jobs.Lease(ctx))(t)
		want(t, "job", d.Value(), job.text)
		want(t, d.Value(), d.Attempt(), job.attempt)
		want(t, "Ack", d.Ack(), nil)
	}

	parts := check(ring.OpenQueue[string](r, "parts", nil))(t)
	for _, text := range []string{strings.Repeat("part 0", 20), strings.Repeat("part 2", 20), long("chained ")} {
		want(t, "part", check(parts.Get(ctx))(t), text)
	}

	lent := check(ring.OpenQueue[[]byte](r, "lent", nil))(t)
	d := check(lent.Lease(ctx))(t)
	want(t, "lent", string(d.View()), long("lent")[:200])
	want(t, "Ack", d.Ack(), nil)
	for range 2 { // the loan has come back
		want(t, "another", lent.TryPut([]byte(long("more"))), nil)
	}

	last := check(ring.OpenQueue[[]byte](r, "last", nil))(t)
	wantErr(t, "Put after Shutdown", last.Put(ctx, nil), ring.ErrShutdown)
	want(t, "last", check(last.Get(ctx))(t), []byte{0, 1, 254, 255})
	_, err := last.Get(ctx)
	wantErr(t, "after the last", err, io.EOF)

	want(t, "points", check(check(ring.OpenQueue[point](r, "points", nil))(t).Get(ctx))(t), point{-1.5, 2})
	want(t, "people", check(check(ring.OpenQueue[person](r, "people", nil))(t).Get(ctx))(t), person{"Ada", 36})
	_, err = check(ring.OpenQueue[point](r, "end", nil))(t).Get(ctx)
	wantErr(t, "the end", err, io.EOF)
}

func TestReadBroadcast(t *testing.T) {
	r := openImage(t, "broadcast").Existing()
	ctx := testproc.Watchdog(t)
	ticks := check(ring.OpenBroadcast[uint64](r, "ticks", nil))(t)
	s := check(ticks.Subscribe())(t)
	for n := range uint64(3) { // the dead count no more
		want(t, "Publish", ticks.Publish(ctx, n), nil)
		v, missed, err := s.Next(ctx)
		want(t, "tick", []any{v, missed, err}, []any{n, uint64(0), nil})
	}
	news := check(ring.OpenBroadcast[string](r, "news", nil))(t)
	late := check(news.Subscribe())(t)
	for range 4 { // no block is lost
		want(t, "Publish", news.Publish(ctx, long("more")), nil)
	}
	v, missed, err := late.Next(ctx)
	want(t, "news", []any{v, missed, err}, []any{long("more"), uint64(2), nil})
	over := check(ring.OpenBroadcast[point](r, "over", nil))(t)
	wantErr(t, "Publish after Shutdown", over.Publish(ctx, point{}), ring.ErrShutdown)
	_, _, err = check(over.Subscribe())(t).Next(ctx)
	wantErr(t, "the end", err, io.EOF)
	_, err = ring.OpenBroadcast[uint64](r, "ticks", &ring.BroadcastOptions{Mode: ring.Lossy})
	wantErr(t, "another mode", err, shm.ErrMismatch)
}

func TestReadDead(t *testing.T) {
	r := openImage(t, "dead").Existing()
	// What the dead one left in the object of an unknown kind nobody here can
	// take back, so its record stays.
	ps := r.Participants()
	if len(ps) != 2 || ps[0].Name != "actor-0" || ps[0].State != shm.Dead {
		t.Errorf("participants %v", ps)
	}
	m := check(sync.OpenMutex(r, "m"))(t)
	wantErr(t, "Lock", m.Lock(testproc.Watchdog(t)), shm.ErrOwnerDied)
	snap := check(r.Snapshot())(t)
	// Nor does this process's name stay there: one that knows the kind is to find
	// the record free of it.
	if p := snap.Participants[0]; p.Recoverer != nil {
		t.Errorf("the dead one: %+v, recovered by %v, want nobody", p, p.Recoverer)
	}
	b, err := json.Marshal(snap.Objects[0])
	if s := string(b); err != nil || !strings.Contains(s, `"fields":{"shape":"a\\b\nc=d"}`) {
		t.Errorf("the unknown one: %s %v", s, err)
	}
}
