package golden

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// A scene is what some processes do to a region, one after the other.
type scene struct {
	name   string
	actors []func(*actor)
	order  []int // whose turn it is; ^i: actor i is killed
	close  bool  // at the end all close; else all are killed
}

var scenes = []scene{
	{"empty", []func(*actor){empty}, []int{0}, true},
	{"cells", []func(*actor){cells, removesOld}, []int{0, 1}, false}, // who has "old" open would give its memory back at Close
	{"wide", []func(*actor){wides, storesWide}, []int{0, 1, 0}, false},
	{"held", []func(*actor){holds, waits}, []int{0, 1, 0}, false},
	{"queue", []func(*actor){puts, takes}, []int{0, 1, 0}, false},
	{"spsc", []func(*actor){sends, receives}, []int{0, 1, 0}, false},
	{"pipe", []func(*actor){talks, listens}, []int{0, 1, 0, 1}, false},
	{"stream", []func(*actor){serves, calls}, []int{0, 1, 0, 1}, false},
	{"sync", []func(*actor){keeps, leaves, joins}, []int{0, 1, ^1, 0, 2, 0}, false},
	{"broadcast", []func(*actor){publishes, subscribes}, []int{0, 1, 0, 1}, false},
	{"dead", []func(*actor){diesWithUnknown, recovers}, []int{0, 1, ^0, 1}, false},
}

// An actor is one process of a scene.
type actor struct {
	path string
	r    *shm.Region
	keep []any // handles, so that what is open stays open
}

func (a *actor) create(o *shm.Options) { a.r = must(shm.Create(a.path, o)) }
func (a *actor) open()                 { a.r = must(shm.Open(a.path, nil)) }

// yield ends a turn and waits for the next.
func (a *actor) yield() {
	testproc.Say("done")
	testproc.Hear()
}

func must[T any](v T, err error) T {
	testproc.Must(err)
	return v
}

func keep[T any](a *actor) func(T, error) T {
	return func(v T, err error) T {
		testproc.Must(err)
		a.keep = append(a.keep, v)
		return v
	}
}

var ctx = context.Background()

func empty(a *actor) { a.create(&shm.Options{Size: 77824, Participants: 2, Objects: 8}) }

// A pair is four bytes, one of them padding.
type pair struct {
	Flag  bool
	Level int16
}

type row struct {
	ID   uint64
	Grid [2][3]float32
	Done bool
	Legs [2]struct {
		Length uint16
		Dir    int8
	}
}

func cells(a *actor) {
	a.create(&shm.Options{Size: 128 << 10, Participants: 2, Objects: 16})
	keep[*atomics.Value[int64]](a)(atomics.OpenValue(a.r, "balance", int64(-5_000_000_000)))
	keep[*atomics.Value[uint8]](a)(atomics.OpenValue(a.r, "level", uint8(200)))
	keep[*atomics.Value[bool]](a)(atomics.OpenValue(a.r, "on", true))
	keep[*atomics.Value[int]](a)(atomics.OpenValue(a.r, "old", 1)) // removed later
	keep[*atomics.Value[float64]](a)(atomics.OpenValue(a.r, "ratio", -3.25))
	keep[*atomics.Value[pair]](a)(atomics.OpenValue(a.r, "pair", pair{true, -2}))
	temps := keep[*atomics.Array[int16]](a)(atomics.OpenArray[int16](a.r, "temps", 5))
	temps.CopyFrom([]int16{-1, 2, -300, 400, -32768})
	weights := keep[*atomics.Array[float32]](a)(atomics.OpenArray[float32](a.r, "weights", 3))
	weights.CopyFrom([]float32{0.5, -1.25, 1 << 20})
	page := keep[*atomics.Array[uint64]](a)(atomics.OpenArray[uint64](a.r, "page", 512))
	for i := range 512 {
		page.Store(i, ^uint64(i))
	}
	rows := keep[*atomics.Slice[row]](a)(atomics.OpenSlice[row](a.r, "rows", 2)).Data()
	rows[0].ID, rows[0].Grid = 1<<63, [2][3]float32{{1, 2, 3}, {4, 5, 6}}
	rows[1].Done, rows[1].Legs[1].Length, rows[1].Legs[1].Dir = true, 65535, -128
}

// A track has padding, a pixel is no multiple of 8 bytes, and a sheet has one spare only.
type (
	track struct {
		At   int64
		Up   bool
		XYZ  [3]float32
		Code [5]uint8
	}
	pixel [3]uint8
	sheet [40]int64
)

func wides(a *actor) {
	a.create(&shm.Options{Size: 128 << 10, Participants: 3, Objects: 16})
	v := keep[*atomics.Value[track]](a)(atomics.OpenValue(a.r, "track", track{At: -1, Code: [5]uint8{1, 2, 3, 4, 5}}))
	keep[*atomics.Value[track]](a)(atomics.OpenValue(a.r, "first", track{Up: true, XYZ: [3]float32{0.5, -2, 4}}))
	pixels := keep[*atomics.Array[pixel]](a)(atomics.OpenArray[pixel](a.r, "pixels", 4))
	pixels.CopyFrom([]pixel{{1, 2, 3}, {255, 254, 253}})
	sheets := keep[*atomics.Array[sheet]](a)(atomics.OpenArray[sheet](a.r, "sheets", 2))
	sheets.Store(1, sheet{0: 1, 39: -39})
	a.yield()
	for i := range int64(5) { // every spare is used, and what the other has put in is taken out
		v.Update(func(x track) track { x.At, x.XYZ[2] = x.At+i, float32(i); return x })
	}
	testproc.Must(v.Lock(ctx))
}

func storesWide(a *actor) {
	a.open()
	v := keep[*atomics.Value[track]](a)(atomics.OpenValue(a.r, "track", track{}))
	v.Swap(track{At: 1000, Up: true})
	pixels := keep[*atomics.Array[pixel]](a)(atomics.OpenArray[pixel](a.r, "pixels", 0))
	pixels.CompareAndSwap(3, pixel{}, pixel{7, 8, 9})
	pixels.CompareAndSwap(3, pixel{}, pixel{})
}

func removesOld(a *actor) {
	a.open()
	testproc.Must(a.r.Remove("old"))
}

func holds(a *actor) {
	a.create(&shm.Options{Size: 96 << 10, Participants: 3, Objects: 16})
	testproc.Must(keep[*sync.Mutex](a)(sync.OpenMutex(a.r, "config")).Lock(ctx))
	keep[*sync.Mutex](a)(sync.OpenMutex(a.r, "free"))
	keep[*sync.Mutex](a)(sync.OpenMutex(a.r, "gone"))
	v := keep[*atomics.Value[uint32]](a)(atomics.OpenValue(a.r, "guarded", uint32(7)))
	testproc.Must(v.Lock(ctx))
	v.Store(8)
	a.yield()
	testproc.Must(a.r.Remove("gone"))
}

func waits(a *actor) {
	a.open()
	m := keep[*sync.Mutex](a)(sync.OpenMutex(a.r, "config"))
	keep[*sync.Mutex](a)(sync.OpenMutex(a.r, "gone"))
	go m.Lock(ctx)
	config := must(a.r.OpenObject(object.Spec{Op: "test", Kind: engine.KindMutex, Name: "config"}))
	await(func() bool { return mem.Load64(config.Area.W64(0))>>28&1 == 1 }) // it waits, and has waited for long
}

func await(f func() bool) {
	for end := time.Now().Add(testproc.Patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			testproc.Must(errors.New("it never came"))
		}
	}
}

var texts = &ring.QueueOptions{Capacity: 4, Buffer: 1024, MaxMessage: 300}

func long(s string) string { return strings.Repeat(s, 300/len(s)) }

func puts(a *actor) {
	a.create(&shm.Options{Size: 192 << 10, Participants: 3, Objects: 16})
	numbers := keep[*ring.Queue[uint64]](a)(ring.OpenQueue[uint64](a.r, "numbers", &ring.QueueOptions{Capacity: 3}))
	for n := range uint64(5) { // into the next lap
		testproc.Must(numbers.Put(ctx, 1<<40+n))
		if n < 3 {
			must(numbers.Get(ctx)) // and never TaskDone
		}
	}
	for range 2 {
		d := must(numbers.Lease(ctx))
		testproc.Must(d.Nack())
	}
	pages := keep[*ring.Queue[[20]int64]](a)(ring.OpenQueue[[20]int64](a.r, "pages", &ring.QueueOptions{Capacity: 2}))
	testproc.Must(pages.Put(ctx, [20]int64{0: -1, 19: 19})) // longer than a slot

	weeks := keep[*ring.Queue[[7]int64]](a)(ring.OpenQueue[[7]int64](a.r, "weeks", &ring.QueueOptions{Capacity: 2}))
	testproc.Must(weeks.Put(ctx, [7]int64{6: 7}))
	testproc.Must(weeks.Put(ctx, [7]int64{6: -7}))

	words := keep[*ring.Queue[string]](a)(ring.OpenQueue[string](a.r, "texts", texts))
	for _, s := range []string{long("gone"), "short", long("abc")} {
		testproc.Must(words.Put(ctx, s))
	}
	must(words.Get(ctx))
	testproc.Must(words.TaskDone())
	testproc.Must(words.Put(ctx, strings.Repeat("x", 113))) // one byte too many for a slot

	parts := keep[*ring.Queue[string]](a)(ring.OpenQueue[string](a.r, "parts", &ring.QueueOptions{Capacity: 8, Buffer: 1024, MaxMessage: 300}))
	for _, s := range []string{"part 0", "part 1", "part 2", "part 3"} { // a block each, of four
		testproc.Must(parts.Put(ctx, strings.Repeat(s, 20)))
	}

	lent := keep[*ring.Queue[[]byte]](a)(ring.OpenQueue[[]byte](a.r, "lent", texts))
	l := must(lent.Loan(ctx, 300))
	testproc.Must(l.Put(ctx, copy(l.Bytes(), long("lent")[:200]))) // and a block goes back

	jobs := keep[*ring.Queue[string]](a)(ring.OpenQueue[string](a.r, "jobs", texts))
	for _, s := range []string{"job 0", "job 1", "job 2", "job 3"} {
		testproc.Must(jobs.Put(ctx, s))
	}
	a.yield()

	// takes has job 0 on lease. It stays in its slot, and those behind it go on
	// into the next lap.
	for _, want := range []string{"job 1", "job 2"} {
		if got := must(jobs.Get(ctx)); got != want {
			testproc.Must(fmt.Errorf("got %s, want %s", got, want))
		}
		testproc.Must(jobs.TaskDone())
	}
	testproc.Must(jobs.Put(ctx, "job 4"))
	testproc.Must(must(jobs.TryLease()).Nack()) // job 3

	last := keep[*ring.Queue[[]byte]](a)(ring.OpenQueue[[]byte](a.r, "last", texts))
	testproc.Must(last.Put(ctx, []byte{0, 1, 254, 255}))
	testproc.Must(last.Shutdown())

	points := keep[*ring.Queue[point]](a)(ring.OpenQueue[point](a.r, "points", &ring.QueueOptions{Capacity: 1}))
	testproc.Must(points.Put(ctx, point{-1.5, 2}))
	people := keep[*ring.Queue[person]](a)(ring.OpenQueue[person](a.r, "people", texts))
	testproc.Must(people.Put(ctx, person{"Ada", 36}))

	end := keep[*ring.Queue[point]](a)(ring.OpenQueue[point](a.r, "end", &ring.QueueOptions{Capacity: 1}))
	testproc.Must(end.Shutdown())
	if _, err := end.TryGet(); !errors.Is(err, io.EOF) {
		testproc.Must(fmt.Errorf("the end of a queue: %v", err))
	}
}

func takes(a *actor) {
	a.open()
	jobs := keep[*ring.Queue[string]](a)(ring.OpenQueue[string](a.r, "jobs", nil))
	must(jobs.TryLease())                       // job 0, for good
	testproc.Must(must(jobs.TryLease()).Nack()) // job 1
	words := keep[*ring.Queue[string]](a)(ring.OpenQueue[string](a.r, "texts", nil))
	must(words.Get(ctx)) // short, and never TaskDone

	// What is got leaves two free blocks between two that are leased.
	parts := keep[*ring.Queue[string]](a)(ring.OpenQueue[string](a.r, "parts", nil))
	for range 2 {
		must(parts.TryLease())
		must(parts.Get(ctx))
		testproc.Must(parts.TaskDone())
	}
	testproc.Must(parts.Put(ctx, long("chained "))) // in two pieces

	lent := keep[*ring.Queue[[]byte]](a)(ring.OpenQueue[[]byte](a.r, "lent", nil))
	a.keep = append(a.keep, must(lent.Loan(ctx, 300))) // and never put
}

// publishes has a subscriber of its own, which reads none.
func publishes(a *actor) {
	a.create(&shm.Options{Size: 192 << 10, Participants: 2, Objects: 8})
	ticks := keep[*ring.Broadcast[uint64]](a)(ring.OpenBroadcast[uint64](a.r, "ticks", &ring.BroadcastOptions{Capacity: 3}))
	keep[*ring.Subscriber[uint64]](a)(ticks.Subscribe())
	for n := range uint64(2) {
		testproc.Must(ticks.Publish(ctx, 1<<40+n))
	}
	news := keep[*ring.Broadcast[string]](a)(ring.OpenBroadcast[string](a.r, "news", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 4, Buffer: 1024, MaxMessage: 300}))
	a.yield()
	for i := range 6 { // of which two are there, and two gone for their blocks
		testproc.Must(news.Publish(ctx, long(fmt.Sprint("news ", i, " "))))
	}
	over := keep[*ring.Broadcast[point]](a)(ring.OpenBroadcast[point](a.r, "over", &ring.BroadcastOptions{Capacity: 2}))
	testproc.Must(over.Publish(ctx, point{1, -1}))
	testproc.Must(over.Shutdown())
}

func subscribes(a *actor) {
	a.open()
	ticks := keep[*ring.Broadcast[uint64]](a)(ring.OpenBroadcast[uint64](a.r, "ticks", nil))
	keep[*ring.Subscriber[uint64]](a)(ticks.Subscribe())
	news := keep[*ring.Broadcast[string]](a)(ring.OpenBroadcast[string](a.r, "news", nil))
	s := keep[*ring.Subscriber[string]](a)(news.Subscribe())
	a.yield()
	if v, missed, err := s.Next(ctx); err != nil || v[:6] != "news 4" || missed != 4 {
		testproc.Must(fmt.Errorf("%q, %d missed, %v", v, missed, err))
	}
	testproc.Must(ticks.Publish(ctx, 7))
}

type point struct{ X, Y float32 }

type person struct {
	Name string
	Age  int
}

// unknownKind is of a build that does not exist yet.
const unknownKind = engine.Kind(99)

func diesWithUnknown(a *actor) {
	a.create(&shm.Options{Size: 80 << 10, Participants: 2, Objects: 8})
	keep[*object.Core](a)(a.r.OpenObject(object.Spec{Op: "test", Kind: unknownKind, Name: "new",
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return []object.Field{{Name: "shape", Value: "a\\b\nc=d"}}, 24, func(a mem.Area) { mem.Store64(a.W64(16), 24) }, nil
		}}))
	testproc.Must(keep[*sync.Mutex](a)(sync.OpenMutex(a.r, "m")).Lock(ctx))
}

func recovers(a *actor) {
	a.open()
	m := keep[*object.Core](a)(a.r.OpenObject(object.Spec{Op: "test", Kind: engine.KindMutex, Name: "m"}))
	a.yield()
	// This process recovers the mutex, but not the other object: the dead one's
	// record stays, without this process's name in it.
	await(func() bool {
		recovered := mem.Load64(m.Area.W64(88)) == 1
		snap, err := a.r.Snapshot()
		return recovered && err == nil && snap.Participants[0].Recoverer == nil
	})
}
