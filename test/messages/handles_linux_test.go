package messages_test

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

func TestClosed(t *testing.T) {
	r := feed(t, nil)
	mu := testproc.Get(tsync.OpenMutex(r, "accounts"))(t)
	q := testproc.Get(ring.OpenQueue[tick](r, "jobs", nil))(t)
	hits := testproc.Get(atomics.OpenValue(r, "hits", int64(3)))(t)
	if err := q.Put(ctx, tick{}); err != nil {
		t.Fatal(err)
	}
	d := testproc.Get(q.Lease(ctx))(t)
	bytes := testproc.Get(ring.OpenQueue[[]byte](r, "bytes", nil))(t)
	l := testproc.Get(bytes.Loan(ctx, 1))(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	var rows []row
	for text, f := range map[string]func() error{
		"mutex.Lock feed/accounts":          func() error { return mu.Lock(ctx) },
		"mutex.TryLock feed/accounts":       func() error { return second(mu.TryLock()) },
		"mutex.Unlock feed/accounts":        mu.Unlock,
		"mutex.MarshalBinary feed/accounts": func() error { return second(mu.MarshalBinary()) },
		"queue.Put feed/jobs":               func() error { return q.Put(ctx, tick{}) },
		"queue.TryGet feed/jobs":            func() error { return second(q.TryGet()) },
		"queue.Lease feed/jobs":             func() error { return second(q.Lease(ctx)) },
		"queue.Join feed/jobs":              func() error { return q.Join(ctx) },
		"queue.Shutdown feed/jobs":          q.Shutdown,
		"queue.MarshalBinary feed/jobs":     func() error { return second(q.MarshalBinary()) },
		"delivery.Ack feed/jobs":            d.Ack,
		"queue.GetInto feed/jobs":           func() error { return q.GetInto(ctx, new(tick)) },
		"queue.Loan feed/bytes":             func() error { return second(bytes.Loan(ctx, 1)) },
		"loan.Put feed/bytes":               func() error { return l.Put(ctx, 1) },
		"loan.Drop feed/bytes":              l.Drop,
		"value.Lock feed/hits":              func() error { return hits.Lock(ctx) },
		"sync.OpenMutex feed/accounts":      mutex(r, "accounts"),
		"ring.OpenQueue feed/jobs":          queue[tick](r, "jobs", nil),
		"region.Remove feed/accounts":       func() error { return r.Remove("accounts") },
		"region.File feed":                  func() error { return second(r.File()) },
		"region.Snapshot feed":              func() error { return second(r.Snapshot()) },
		"region.Check feed":                 r.Check,
	} {
		rows = append(rows, row{text, f, shm.ErrClosed, text + ": region is closed"})
	}
	check(t, rows)
	if err := r.Close(); err != nil {
		t.Errorf("a second Close = %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	r := feed(t, nil)
	testproc.Get(tsync.OpenMutex(r, "accounts"))(t)
	unchanged(t, r)
	ro := testproc.Get(shm.Open("feed", &shm.Options{ReadOnly: true}))(t)
	defer ro.Close()
	const denied = ": the region was opened ReadOnly: permission denied"
	check(t, []row{
		{"mutex", mutex(ro, "accounts"), fs.ErrPermission, "sync.OpenMutex feed/accounts" + denied},
		{"new", mutex(ro, "new"), fs.ErrPermission, "sync.OpenMutex feed/new" + denied},
		{"existing", mutex(ro.Existing(), "accounts"), fs.ErrPermission, "sync.OpenMutex feed/accounts" + denied},
		{"queue", queue[int](ro, "jobs", nil), fs.ErrPermission, "ring.OpenQueue feed/jobs" + denied},
		{"value", value[int64](ro, "hits"), fs.ErrPermission, "atomics.OpenValue feed/hits" + denied},
		{"array", array[int64](ro, "cells", 3), fs.ErrPermission, "atomics.OpenArray feed/cells" + denied},
		{"slice", slice[int64](ro, "raw", 3), fs.ErrPermission, "atomics.OpenSlice feed/raw" + denied},
		{"remove", func() error { return ro.Remove("accounts") }, fs.ErrPermission, "region.Remove feed/accounts" + denied},
	})
}

// Handles that nothing made say so.
func TestZeroHandles(t *testing.T) {
	var q ring.Queue[int]
	var s ring.SPSC[int]
	var end ring.Conn[int]
	var mu tsync.Mutex
	var v atomics.Value[int]
	const noQueue, noMutex = ": the handle was not made by OpenQueue: invalid argument", ": the handle was not made by an OpenX of package sync: invalid argument"
	const noSPSC, noConn = ": the handle was not made by OpenSPSC: invalid argument", ": the handle was not made by OpenPipe: invalid argument"
	const noValue, noRegion = ": the handle was not made by OpenValue, OpenArray or OpenSlice: invalid argument", ": the region is nil or was not opened: invalid argument"
	rows := []row{
		{"Put", func() error { return q.Put(ctx, 1) }, fs.ErrInvalid, "queue.Put" + noQueue},
		{"TryPut", func() error { return q.TryPut(1) }, fs.ErrInvalid, "queue.TryPut" + noQueue},
		{"PutBatch", func() error { return second(q.PutBatch(ctx, []int{1})) }, fs.ErrInvalid, "queue.PutBatch" + noQueue},
		{"Get", func() error { return second(q.Get(ctx)) }, fs.ErrInvalid, "queue.Get" + noQueue},
		{"TryGet", func() error { return second(q.TryGet()) }, fs.ErrInvalid, "queue.TryGet" + noQueue},
		{"GetInto", func() error { return q.GetInto(ctx, new(int)) }, fs.ErrInvalid, "queue.GetInto" + noQueue},
		{"Loan", func() error { return second(q.Loan(ctx, 1)) }, fs.ErrInvalid, "queue.Loan" + noQueue},
		{"Lease", func() error { return second(q.Lease(ctx)) }, fs.ErrInvalid, "queue.Lease" + noQueue},
		{"TryLease", func() error { return second(q.TryLease()) }, fs.ErrInvalid, "queue.TryLease" + noQueue},
		{"TaskDone", q.TaskDone, fs.ErrInvalid, "queue.TaskDone" + noQueue},
		{"Join", func() error { return q.Join(ctx) }, fs.ErrInvalid, "queue.Join" + noQueue},
		{"Shutdown", q.Shutdown, fs.ErrInvalid, "queue.Shutdown" + noQueue},
		{"Marshal", func() error { return second(q.MarshalBinary()) }, fs.ErrInvalid, "queue.MarshalBinary" + noQueue},
		{"spsc.Put", func() error { return s.Put(ctx, 1) }, fs.ErrInvalid, "spsc.Put" + noSPSC},
		{"spsc.TryGet", func() error { return second(s.TryGet()) }, fs.ErrInvalid, "spsc.TryGet" + noSPSC},
		{"spsc.GetBatch", func() error { return second(s.GetBatch(ctx, nil)) }, fs.ErrInvalid, "spsc.GetBatch" + noSPSC},
		{"spsc.Shutdown", s.Shutdown, fs.ErrInvalid, "spsc.Shutdown" + noSPSC},
		{"spsc.Marshal", func() error { return second(s.MarshalBinary()) }, fs.ErrInvalid, "spsc.MarshalBinary" + noSPSC},
		{"conn.Send", func() error { return end.Send(ctx, 1) }, fs.ErrInvalid, "conn.Send" + noConn},
		{"conn.Recv", func() error { return second(end.Recv(ctx)) }, fs.ErrInvalid, "conn.Recv" + noConn},
		{"conn.RecvInto", func() error { return end.RecvInto(ctx, new(int)) }, fs.ErrInvalid, "conn.RecvInto" + noConn},
		{"conn.Poll", func() error { return end.Poll(ctx) }, fs.ErrInvalid, "conn.Poll" + noConn},
		{"conn.Marshal", func() error { return second(end.MarshalBinary()) }, fs.ErrInvalid, "conn.MarshalBinary" + noConn},
		{"Lock", func() error { return mu.Lock(ctx) }, fs.ErrInvalid, "mutex.Lock" + noMutex},
		{"Unlock", mu.Unlock, fs.ErrInvalid, "mutex.Unlock" + noMutex},
		{"value.Lock", func() error { return v.Lock(ctx) }, fs.ErrInvalid, "atomics.Lock" + noValue},
		{"value.Unlock", v.Unlock, fs.ErrInvalid, "atomics.Unlock" + noValue},
		{"value.Marshal", func() error { return second(v.MarshalBinary()) }, fs.ErrInvalid, "value.MarshalBinary" + noValue},
	}
	for _, r := range []*shm.Region{nil, new(shm.Region)} {
		rows = append(rows, []row{
			{"open a mutex", mutex(r, "m"), fs.ErrInvalid, "sync.OpenMutex m" + noRegion},
			{"open a queue", queue[int](r.Existing(), "m", nil), fs.ErrInvalid, "ring.OpenQueue m" + noRegion},
			{"open a value", value[int](r, "m"), fs.ErrInvalid, "atomics.OpenValue m" + noRegion},
			{"close", r.Close, fs.ErrInvalid, "region.Close" + noRegion},
			{"file", func() error { return second(r.File()) }, fs.ErrInvalid, "region.File" + noRegion},
			{"remove", func() error { return r.Remove("m") }, fs.ErrInvalid, "region.Remove m" + noRegion},
			{"snapshot", func() error { return second(r.Snapshot()) }, fs.ErrInvalid, "region.Snapshot" + noRegion},
			{"check", r.Check, fs.ErrInvalid, "region.Check" + noRegion},
		}...)
		if r.Name() != "" || r.Size() != 0 || r.Self() != (shm.Participant{}) || r.Participants() != nil {
			t.Error("a region that is none has something")
		}
		for range r.Objects() {
			t.Error("a region that is none has an object")
		}
		for range r.Exits(ctx) {
			t.Error("somebody left a region that is none")
		}
	}
	check(t, rows)
	if q.Len() != 0 || q.Cap() != 0 || new(atomics.Slice[int]).Data() != nil || new(atomics.Array[int]).Len() != 0 {
		t.Error("a handle that nothing made has something")
	}
}

func TestUnmarshal(t *testing.T) {
	r := feed(t, nil)
	mu := testproc.Get(tsync.OpenMutex(r, "accounts"))(t)
	q := testproc.Get(ring.OpenQueue[tick](r, "jobs", nil))(t)
	unchanged(t, r)
	arrive := func(from encoding.BinaryMarshaler, to encoding.BinaryUnmarshaler) func() error {
		b := testproc.Get(from.MarshalBinary())(t)
		return func() error { return to.UnmarshalBinary(b) }
	}
	check(t, []row{
		{"mutex as queue", arrive(mu, new(ring.Queue[tick])), shm.ErrMismatch, "queue.UnmarshalBinary accounts" + another + "a handle on a mutex, want one on a queue"},
		{"queue as array", arrive(q, new(atomics.Array[tick])), shm.ErrMismatch, "array.UnmarshalBinary jobs" + another + "a handle on a queue, want one on an array"},
		{"mutex as region", arrive(mu, new(shm.Region)), shm.ErrMismatch, "region.UnmarshalBinary accounts" + another + "a handle on a mutex, want one on a region"},
		{"region as mutex", arrive(r, new(tsync.Mutex)), shm.ErrMismatch, "mutex.UnmarshalBinary" + another + "a handle on a region, want one on a mutex"},
		{"another T", arrive(q, new(ring.Queue[tock])), shm.ErrMismatch, "ring.OpenQueue feed/jobs" + another + "field B: float64 here, int64 in the region; field C: int8 here, not in the region"},
		{"in use", arrive(r, r), fs.ErrInvalid, "region.UnmarshalBinary feed: into a handle that is in use: invalid argument"},
	})
	for _, garbage := range [][]byte{nil, {0xff}, []byte("garbage")} {
		for _, h := range []encoding.BinaryUnmarshaler{new(shm.Region), new(tsync.Mutex), new(ring.Queue[tick]), new(atomics.Value[int]), new(atomics.Array[int]), new(atomics.Slice[int])} {
			if err := h.UnmarshalBinary(garbage); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%x as %T: %v", garbage, h, err)
			}
		}
	}
}

var (
	say       = proc.Register("say", func(context.Context, string) error { return nil })
	takesFunc = proc.Register("takesFunc", func(context.Context, struct{ F func() }) error { return nil })
	takesJobs = proc.Register("takesJobs", func(context.Context, *ring.Queue[tick]) error { return nil })
)

var careless = testproc.Role("careless", func([]string) { // it runs before TestMain's proc.Main
	_, err := say.Start(ctx, "hello", nil)
	testproc.Say(errors.Is(err, proc.ErrNoMain), err)
})

func TestProc(t *testing.T) {
	r := feed(t, nil)
	jobs := testproc.Get(ring.OpenQueue[tick](r, "jobs", nil))(t)
	closed := testproc.Get(shm.Anonymous(&shm.Options{Size: 1 << 20}))(t)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	start := func(o *proc.Options) func() error {
		return func() error { return second(say.Start(ctx, "hello", o)) }
	}
	rows := []row{
		{"func", func() error { return second(takesFunc.Start(ctx, struct{ F func() }{}, nil)) }, fs.ErrInvalid, "proc.Start takesFunc: argument does not encode: struct { F func() }.F is a func: invalid argument"},
		{"zero handle", func() error { return second(takesJobs.Start(ctx, new(ring.Queue[tick]), nil)) }, fs.ErrInvalid, "proc.Start takesJobs: argument of type *ring.Queue[example.com/tandem/test/messages_test.tick] does not encode: queue.MarshalBinary: the handle was not made by OpenQueue: invalid argument"},
		{"ended", func() error { return second(say.Start(ended(), "hello", nil)) }, ctxErr, "proc.Start say: context canceled"},
		{"grace", start(&proc.Options{Grace: -1}), fs.ErrInvalid, "proc.Start say: Options.Grace -1ns: invalid argument"},
		{"directory", start(&proc.Options{Dir: "/no/such"}), fs.ErrNotExist, "proc.Start say: in directory /no/such: fork/exec /proc/self/exe: no such file or directory"},
		{"nil region", start(&proc.Options{Regions: []*shm.Region{nil}}), fs.ErrInvalid, "proc.Start say: Options.Regions[0] is nil: invalid argument"},
		{"closed region", start(&proc.Options{Regions: []*shm.Region{closed}}), shm.ErrClosed, "proc.Start say: Options.Regions[0]: region.MarshalBinary " + closed.Name() + ": region is closed"},
		{"zero Func", func() error { return second(proc.Func[int]{}.Start(ctx, 1, nil)) }, fs.ErrInvalid, "proc.Start: a Func that Register did not make: invalid argument"},
	}
	check(t, rows)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := takesJobs.Start(ctx, jobs, nil); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Start with a handle of a closed region = %v, want ErrClosed", err)
	}
	if got, want := careless.Start(t).Line(), "true proc.Start say: proc.Main was not called: it must be the first line of main or TestMain"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	p := testproc.Get(say.Start(ctx, "hello", &proc.Options{Stdout: os.Stderr}))(t)
	if err := p.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	check(t, []row{{"signal", func() error { return p.Signal(os.Interrupt) }, os.ErrProcessDone, fmt.Sprintf("process.Signal say: pid %d: os: process already finished", p.PID())}})
}
