package damage

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// What lies in the region.
type (
	pair   struct{ ID, N int64 } // lies in its slot
	padded struct {
		Flag  bool
		Level int16
	}
	page struct { // plain, too long for a slot
		ID   int64
		Body [600]byte
	}
	job struct { // goes by CBOR
		URL   string
		Tags  []string
		Depth map[string]int
	}
	row struct {
		ID   uint64
		Grid [2][3]float32
		Done bool
	}
)

const (
	imageSize    = 1 << 20
	participants = 6
	objects      = 50
)

var someBytes = ring.QueueOptions{Capacity: 8, Buffer: 1 << 14, MaxMessage: 6000}

func text(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return string(b)
}

var bg = context.Background()

func must[T any](v T, err error) T {
	testproc.Must(err)
	return v
}

// first makes everything, and holds some of it.
var first = testproc.Role("first", func(args []string) {
	r := must(shm.Create(args[0], &shm.Options{Size: imageSize, Participants: participants, Objects: objects}))
	for _, name := range []string{"free", "held", "abandoned", "waited"} {
		must(sync.OpenMutex(r, name))
	}
	removedMutex := must(sync.OpenMutex(r, "removed-mutex"))
	testproc.Must(must(sync.OpenMutex(r, "held")).Lock(bg))
	testproc.Must(must(sync.OpenMutex(r, "waited")).Lock(bg))
	v := must(atomics.OpenValue(r, "int64", int64(7)))
	testproc.Must(v.Lock(bg))
	must(atomics.OpenValue(r, "padded", padded{true, 3}))
	must(atomics.OpenValue(r, "uint16", uint16(9)))
	must(atomics.OpenValue(r, "bool", true))
	must(atomics.OpenValue(r, "float64", 1.5))
	must(atomics.OpenArray[int16](r, "int16s", 9))
	must(atomics.OpenArray[float32](r, "floats", 100))
	wide := must(atomics.OpenValue(r, "wide", pair{1, 2}))
	wide.Store(pair{3, 4})
	must(atomics.OpenArray[page](r, "wide-pages", 3)).Store(1, page{ID: 5})
	must(atomics.OpenSlice[row](r, "rows", 20))

	// Of each primitive some of what there can be.
	testproc.Must(must(sync.OpenRMutex(r, "nested")).NewHolder().Lock(bg))
	must(sync.OpenRMutex(r, "loose"))
	testproc.Must(must(sync.OpenRWMutex(r, "read")).RLock(bg))
	testproc.Must(must(sync.OpenRWMutex(r, "written")).Lock(bg))
	own := must(sync.OpenCond(r, "own", nil))
	must(sync.OpenCond(r, "of", must(sync.OpenMutex(r, "of-lock"))))
	go sync.With(bg, own.Holder(), func() error { return own.Wait(bg) })
	testproc.Must(must(sync.OpenSemaphore(r, "permits", 3)).Acquire(bg))
	testproc.Must(must(sync.OpenBoundedSemaphore(r, "bounded", 3)).Acquire(bg))
	testproc.Must(must(sync.OpenEvent(r, "set")).Set())
	must(sync.OpenEvent(r, "clear"))
	go must(sync.OpenBarrier(r, "barrier", 3, nil)).Wait(bg)
	testproc.Must(must(sync.OpenBarrier(r, "broken", 2, nil)).Abort())
	testproc.Must(must(sync.OpenOnce(r, "done")).Do(bg, func(context.Context) error { return nil }))
	running := make(chan bool)
	go must(sync.OpenOnce(r, "running")).Do(bg, func(context.Context) error { close(running); select {} })
	<-running

	empty := must(ring.OpenQueue[pair](r, "empty", &ring.QueueOptions{Capacity: 5}))
	pairs := must(ring.OpenQueue[pair](r, "pairs", &ring.QueueOptions{Capacity: 8}))
	bytes := must(ring.OpenQueue[[]byte](r, "bytes", &someBytes))
	full := must(ring.OpenQueue[string](r, "full", &ring.QueueOptions{Capacity: 4, Buffer: 1 << 13}))
	jobs := must(ring.OpenQueue[job](r, "jobs", &ring.QueueOptions{Capacity: 8, Buffer: 1 << 14}))
	pages := must(ring.OpenQueue[page](r, "pages", &ring.QueueOptions{Capacity: 4}))
	shut := must(ring.OpenQueue[pair](r, "shut", &ring.QueueOptions{Capacity: 4}))
	over := must(ring.OpenQueue[pair](r, "over", &ring.QueueOptions{Capacity: 4}))
	ticks := must(ring.OpenSPSC[pair](r, "ticks", &ring.SPSCOptions{Capacity: 5}))
	tocks := must(ring.OpenSPSC[pair](r, "tocks", &ring.SPSCOptions{Capacity: 5}))
	removed := must(ring.OpenQueue[[]byte](r, "removed-queue", &ring.QueueOptions{Capacity: 4, Buffer: 1 << 13}))
	for i := range 6 {
		testproc.Must(empty.Put(bg, pair{int64(i), 1}))
		must(empty.Get(bg))
		testproc.Must(pairs.Put(bg, pair{int64(i), 2}))
		if i < 4 {
			testproc.Must(ticks.Put(bg, pair{int64(i), 7}))
			testproc.Must(tocks.Put(bg, pair{int64(i), 8}))
		}
		testproc.Must(bytes.Put(bg, []byte(text(i*700))))
		testproc.Must(jobs.Put(bg, job{text(i * 100), []string{"a", text(i)}, map[string]int{"x": i}}))
		if i < 4 {
			testproc.Must(full.Put(bg, text(i*500)))
			testproc.Must(pages.Put(bg, page{ID: int64(i)}))
		}
		if i < 3 {
			testproc.Must(shut.Put(bg, pair{int64(i), 3}))
			testproc.Must(removed.Put(bg, []byte(text(i*900))))
		}
	}
	must(pairs.Get(bg)) // and not done
	must(pairs.Lease(bg))
	testproc.Must(must(pairs.Lease(bg)).Nack())
	must(bytes.Lease(bg))
	must(bytes.Lease(bg))
	testproc.Must(must(jobs.Lease(bg)).Nack())
	must(jobs.Lease(bg))
	must(pages.Lease(bg))
	must(shut.Lease(bg))
	testproc.Must(shut.Shutdown())
	testproc.Must(over.Shutdown())
	testproc.Must(tocks.Shutdown())
	must(tocks.Get(bg))
	left := must(ring.OpenPipe[string](r, "talk", ring.Left, &ring.PipeOptions{Buffer: 1 << 13}))
	right := must(ring.OpenPipe[string](r, "talk", ring.Right, nil))
	sends := must(ring.OpenPipe[pair](r, "one-way", ring.Left, &ring.PipeOptions{Direction: ring.OneWay, Buffer: 256}))
	for i := range 4 {
		testproc.Must(left.Send(bg, text(i*300)))
		testproc.Must(right.Send(bg, text(i*200)))
		testproc.Must(sends.Send(bg, pair{int64(i), 5}))
	}
	must(left.Recv(bg))
	news := must(ring.OpenBroadcast[string](r, "news", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 4, Buffer: 1 << 13}))
	quotes := must(ring.OpenBroadcast[pair](r, "quotes", &ring.BroadcastOptions{Capacity: 4}))
	must(news.Subscribe())
	unread := must(quotes.Subscribe())
	for i := range 4 {
		testproc.Must(news.Publish(bg, text(i*900)))
		testproc.Must(quotes.Publish(bg, pair{int64(i), 5}))
	}
	web := must(ring.Listen(r, "web", &ring.ListenOptions{Buffer: 256, Backlog: 3}))
	accepted := make(chan net.Conn)
	go func() { accepted <- must(web.Accept()) }()
	dialled := must(ring.Dial(bg, r, "web"))
	must(dialled.Write([]byte(text(90))))
	here := <-accepted
	must(here.Write([]byte(text(70))))
	must(here.Read(make([]byte, 20)))
	go ring.Dial(bg, r, "web")
	for len(must(r.Snapshot()).Streams) < 2 {
		runtime.Gosched()
	}
	testproc.Must(r.Remove("removed-queue"))
	testproc.Must(r.Remove("removed-mutex"))
	must(sync.OpenMutex(r, "short-lived"))
	testproc.Must(r.Remove("short-lived"))
	testproc.Say("done")
	testproc.Hear()
	runtime.KeepAlive(removed) // what is dropped is closed
	runtime.KeepAlive(removedMutex)
	runtime.KeepAlive(ticks)
	runtime.KeepAlive(tocks)
	runtime.KeepAlive(unread)
	runtime.KeepAlive([]any{web, dialled, here})
	runtime.KeepAlive(left)
	runtime.KeepAlive(right)
	runtime.KeepAlive(sends)
})

// second dies with a lock, while first is there to notice.
var second = testproc.Role("second", func(args []string) {
	r := must(shm.Open(args[0], nil))
	testproc.Must(must(sync.OpenMutex(r, "abandoned")).Lock(bg))
	testproc.Say("done")
	testproc.Hear()
})

// third waits, and holds this and that.
var third = testproc.Role("third", func(args []string) {
	r := must(shm.Open(args[0], nil))
	m := must(sync.OpenMutex(r, "waited"))
	go m.Lock(bg)
	q := must(ring.OpenQueue[pair](r, "pairs", nil))
	must(q.Lease(bg))
	go must(ring.OpenQueue[pair](r, "empty", nil)).Get(bg)
	go must(ring.OpenQueue[string](r, "full", nil)).Put(bg, "more")
	go q.Join(bg)
	go must(sync.OpenRMutex(r, "nested")).NewHolder().Lock(bg)
	go must(sync.OpenRWMutex(r, "read")).Lock(bg)
	go must(sync.OpenRWMutex(r, "written")).RLock(bg)
	own := must(sync.OpenCond(r, "own", nil))
	go sync.With(bg, own.Holder(), func() error { return own.Wait(bg) })
	go must(sync.OpenEvent(r, "clear")).Wait(bg)
	go must(sync.OpenBarrier(r, "barrier", 0, nil)).Wait(bg)
	go must(sync.OpenOnce(r, "running")).Do(bg, func(context.Context) error { return nil })
	testproc.Say("done")
	testproc.Hear()
})

// build has a region used, and returns the file as its users leave it: with
// three participants that a kill took and nobody has recovered.
func build(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(tempDir(t), "image")
	a := first.Start(t, path)
	a.Expect("done")
	b := second.Start(t, path)
	b.Expect("done")
	r, err := shm.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := sync.OpenMutex(r, "abandoned")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(bg, testproc.Patience)
	defer cancel()
	b.Kill()
	if err := m.Lock(ctx); err == nil {
		t.Fatal("locked what another process holds, or died with")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c := third.Start(t, path)
	c.Expect("done")
	a.Freeze() // neither recovers the other in the image
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a.Kill()
	c.Kill()
	return image
}

// A span is a part of the image that damage is aimed at.
type span struct {
	name     string
	off, end int64
}

// spans are the tables and the objects of an image, as docs/layout.md says
// where they are.
func spans(image []byte) []span {
	le := binary.LittleEndian
	up := func(n, to int64) int64 { return (n + to - 1) / to * to }
	buckets := int64(8)
	for buckets < objects {
		buckets *= 2
	}
	records := span{"records", 4096, 4096 + participants*256}
	openers := span{"openers", up(records.end, 128), 0}
	openers.end = openers.off + participants*8
	waits := span{"waits", up(openers.end, 128), 0}
	waits.end = waits.off + participants*512
	entries := span{"entries", up(waits.end, 128), 0}
	entries.end = entries.off + objects*320
	table := span{"buckets", up(entries.end, 128), 0}
	table.end = table.off + buckets*4
	extents := span{"extents", up(table.end, 128), 0}
	extents.end = extents.off + 8*16
	all := []span{{"header", 0, 200}, {"directory", 256, 420}, records, openers, waits, entries, table, extents}
	for e := entries.off; e < entries.end; e += 320 {
		b := image[e:]
		if le.Uint32(b) == 0 {
			continue
		}
		off, size, name := int64(le.Uint64(b[24:])), int64(le.Uint64(b[32:])), string(b[72:72+le.Uint32(b[64:])])
		// The entry, the object, and once more where an engine keeps most of its words.
		all = append(all, span{"entry of " + name, e, e + 272}, span{name, off, off + size}, span{name, off, off + min(size, 640)})
	}
	return all
}
