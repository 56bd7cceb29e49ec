package messages_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

type tick struct{ A, B int64 }

type tock struct {
	A int64
	B float64
	C int8
}

type pointing struct {
	A  int
	In struct{ P *int }
}

type private struct {
	S string
	n int
}

type mute struct{ name string }

var errMute = errors.New("it says nothing")

func (m mute) Name() string                           { return m.name }
func (mute) Append(dst []byte, _ any) ([]byte, error) { return dst, errMute }
func (mute) Decode([]byte, any) error                 { return errMute }
func queue[T any](r *shm.Region, name string, o *ring.QueueOptions) func() error {
	return func() error { return second(ring.OpenQueue[T](r, name, o)) }
}
func spsc[T any](r *shm.Region, name string, o *ring.SPSCOptions) func() error {
	return func() error { return second(ring.OpenSPSC[T](r, name, o)) }
}
func broadcast[T any](r *shm.Region, name string, o *ring.BroadcastOptions) func() error {
	return func() error { return second(ring.OpenBroadcast[T](r, name, o)) }
}
func mutex(r *shm.Region, name string) func() error {
	return func() error { return second(tsync.OpenMutex(r, name)) }
}
func value[T any](r *shm.Region, name string) func() error {
	return func() error { var zero T; return second(atomics.OpenValue(r, name, zero)) }
}
func array[T any](r *shm.Region, name string, n int) func() error {
	return func() error { return second(atomics.OpenArray[T](r, name, n)) }
}
func slice[T any](r *shm.Region, name string, n int) func() error {
	return func() error { return second(atomics.OpenSlice[T](r, name, n)) }
}

const another = ": the object is there with another configuration: "

func TestOpen(t *testing.T) {
	_ = private{}.n
	r := feed(t, &shm.Options{Size: 8 << 20})
	testproc.Get(tsync.OpenMutex(r, "accounts"))(t)
	testproc.Get(ring.OpenQueue[tick](r, "jobs", &ring.QueueOptions{Capacity: 8}))(t)
	testproc.Get(ring.OpenQueue[string](r, "text", &ring.QueueOptions{Capacity: 8, MaxMessage: 100, Buffer: 4096}))(t)
	testproc.Get(ring.OpenQueue[tick](r, "coded", &ring.QueueOptions{Codec: mute{"mine"}}))(t)
	testproc.Get(ring.OpenSPSC[tick](r, "ticks", &ring.SPSCOptions{Capacity: 8}))(t)
	testproc.Get(ring.OpenBroadcast[tick](r, "news", &ring.BroadcastOptions{Capacity: 8}))(t)
	testproc.Get(atomics.OpenValue(r, "hits", int64(3)))(t)
	testproc.Get(atomics.OpenArray[int64](r, "cells", 3))(t)
	unchanged(t, r)
	check(t, []row{
		{"kind", mutex(r, "jobs"), shm.ErrMismatch, "sync.OpenMutex feed/jobs" + another + "kind: mutex here, queue in the region"},
		{"kind of cells", value[int64](r, "cells"), shm.ErrMismatch, "atomics.OpenValue feed/cells" + another + "kind: value here, array in the region"},
		{"fields", queue[tock](r, "jobs", nil), shm.ErrMismatch, "ring.OpenQueue feed/jobs" + another + "field B: float64 here, int64 in the region; field C: int8 here, not in the region"},
		{"value's type", value[float64](r, "hits"), shm.ErrMismatch, "atomics.OpenValue feed/hits" + another + "type: float64 here, int64 in the region"},
		{"type and length", array[int32](r, "cells", 4), shm.ErrMismatch, "atomics.OpenArray feed/cells" + another + "type: int32 here, int64 in the region; length: 4 here, 3 in the region"},
		{"capacity", queue[tick](r, "jobs", &ring.QueueOptions{Capacity: 9}), shm.ErrMismatch, "ring.OpenQueue feed/jobs" + another + "capacity: 9 here, 8 in the region"},
		{"buffer", queue[string](r, "text", &ring.QueueOptions{Buffer: 9000}), shm.ErrMismatch, "ring.OpenQueue feed/text" + another + "buffer: 9000 here, 4096 in the region"},
		{"max message", queue[string](r, "text", &ring.QueueOptions{MaxMessage: 101}), shm.ErrMismatch, "ring.OpenQueue feed/text" + another + "max message: 101 here, 100 in the region"},
		{"capacity of an SPSC", spsc[tick](r, "ticks", &ring.SPSCOptions{Capacity: 9}), shm.ErrMismatch, "ring.OpenSPSC feed/ticks" + another + "capacity: 9 here, 8 in the region"},
		{"fields of an SPSC", spsc[tock](r, "ticks", nil), shm.ErrMismatch, "ring.OpenSPSC feed/ticks" + another + "field B: float64 here, int64 in the region; field C: int8 here, not in the region"},
		{"an SPSC for a queue", spsc[tick](r, "jobs", nil), shm.ErrMismatch, "ring.OpenSPSC feed/jobs" + another + "kind: spsc here, queue in the region"},
		{"codec", queue[tick](r, "coded", &ring.QueueOptions{Codec: mute{"other"}}), shm.ErrMismatch, "ring.OpenQueue feed/coded" + another + "codec: other here, mine in the region"},
		{"codec where none is", queue[tick](r, "jobs", &ring.QueueOptions{Codec: mute{"mine"}}), shm.ErrMismatch, "ring.OpenQueue feed/jobs" + another + "codec: mine here, plain in the region"},
		{"broadcast's mode", broadcast[tick](r, "news", &ring.BroadcastOptions{Mode: ring.Lossy}), shm.ErrMismatch, "ring.OpenBroadcast feed/news" + another + "mode: lossy here, reliable in the region"},
		{"broadcast's capacity", broadcast[tick](r, "news", &ring.BroadcastOptions{Capacity: 9}), shm.ErrMismatch, "ring.OpenBroadcast feed/news" + another + "capacity: 9 here, 8 in the region"},
		{"no mode", broadcast[tick](r, "n", &ring.BroadcastOptions{Mode: 3}), fs.ErrInvalid, "ring.OpenBroadcast feed/n: mode 3, want Reliable or Lossy: invalid argument"},
		{"broadcast of less than nothing", broadcast[tick](r, "n", &ring.BroadcastOptions{Capacity: -1}), fs.ErrInvalid, "ring.OpenBroadcast feed/n: capacity -1, want 1 to 268435456, or 0 for the default: invalid argument"},
		{"codec's name", queue[tick](r, "new", &ring.QueueOptions{Codec: mute{"cbor"}}), fs.ErrInvalid, `ring.OpenQueue feed/new: a codec named "cbor", as what needs no codec is: invalid argument`},

		{"typo", mutex(r.Existing(), "acounts"), fs.ErrNotExist, `sync.OpenMutex feed/acounts: no such object, did you mean "accounts"? file does not exist`},
		{"nothing like it", mutex(r.Existing(), "zzz"), fs.ErrNotExist, `sync.OpenMutex feed/zzz: no such object: file does not exist`},
		{"remove a typo", func() error { return r.Remove("job") }, fs.ErrNotExist, `region.Remove feed/job: no such object, did you mean "jobs"? file does not exist`},
		{"no name", mutex(r, ""), fs.ErrInvalid, `sync.OpenMutex feed: name "", want 1 to 200 of A-Z a-z 0-9 . _ - (not . or ..): invalid argument`},
		{"slash", mutex(r, "a/b"), fs.ErrInvalid, `sync.OpenMutex feed/a/b: name "a/b", want 1 to 200 of A-Z a-z 0-9 . _ - (not . or ..): invalid argument`},
		{"line", mutex(r, "a\nb"), fs.ErrInvalid, `sync.OpenMutex feed/"a\nb": name "a\nb", want 1 to 200 of A-Z a-z 0-9 . _ - (not . or ..): invalid argument`},
		{"length", mutex(r, strings.Repeat("x", 201)), fs.ErrInvalid, "sync.OpenMutex feed/" + strings.Repeat("x", 201) + `: name "` + strings.Repeat("x", 40) + `"… of 201 bytes, want 1 to 200 of A-Z a-z 0-9 . _ - (not . or ..): invalid argument`},

		{"negative capacity", queue[int](r, "n", &ring.QueueOptions{Capacity: -1}), fs.ErrInvalid, "ring.OpenQueue feed/n: capacity -1, want 1 to 268435456, or 0 for the default: invalid argument"},
		{"capacity past all", queue[int](r, "n", &ring.QueueOptions{Capacity: 1 << 40}), fs.ErrInvalid, "ring.OpenQueue feed/n: capacity 1099511627776, want 1 to 268435456, or 0 for the default: invalid argument"},
		{"narrow buffer", queue[string](r, "n", &ring.QueueOptions{Buffer: 10, MaxMessage: 10}), fs.ErrInvalid, "ring.OpenQueue feed/n: buffer 10 for messages of up to 10 bytes, want twice that: invalid argument"},
		{"wait", queue[int](r, "n", &ring.QueueOptions{Wait: 9}), fs.ErrInvalid, "ring.OpenQueue feed/n: wait 9, want Adaptive, Spin or Sleep: invalid argument"},
		{"negative capacity of an SPSC", spsc[int](r, "n", &ring.SPSCOptions{Capacity: -1}), fs.ErrInvalid, "ring.OpenSPSC feed/n: capacity -1, want 1 to 268435456, or 0 for the default: invalid argument"},
		{"wait of an SPSC", spsc[int](r, "n", &ring.SPSCOptions{Wait: 9}), fs.ErrInvalid, "ring.OpenSPSC feed/n: wait 9, want Adaptive, Spin or Sleep: invalid argument"},
		{"too large an SPSC", spsc[[1 << 20]byte](r, "n", &ring.SPSCOptions{Capacity: 1 << 28}), shm.ErrNoSpace, "ring.OpenSPSC feed/n: capacity 268435456, messages of 1048576 bytes, more than any region holds: no space"},
		{"negative length", array[int](r, "n", -1), fs.ErrInvalid, "atomics.OpenArray feed/n: length -1: invalid argument"},
		{"no length", array[int](r, "n", 0), fs.ErrNotExist, "atomics.OpenArray feed/n: there is none to take the length from: file does not exist"},
		{"region full", queue[int](r, "n", &ring.QueueOptions{Capacity: 1 << 20}), shm.ErrNoSpace, "ring.OpenQueue feed/n: no space: # bytes needed, # free in the region (of #), # free in its file system"},

		{"pointer", value[pointing](r, "n"), shm.ErrNotPlain, "atomics.OpenValue feed/n: type is not plain: field pointing.In.P is a *int"},
		{"string", array[string](r, "n", 1), shm.ErrNotPlain, "atomics.OpenArray feed/n: type is not plain: string"},
		{"text in an SPSC", spsc[string](r, "n", nil), shm.ErrNotPlain, "ring.OpenSPSC feed/n: type is not plain: string"},
		{"map", slice[map[int]int](r, "n", 1), shm.ErrNotPlain, "atomics.OpenSlice feed/n: type is not plain: map[int]int"},
		{"wide value, and a word is there", value[tick](r, "hits"), shm.ErrMismatch, "atomics.OpenValue feed/hits" + another + "field A: int64 here, not in the region; field B: int64 here, not in the region; type: not here, int64 in the region"},
		{"too many", array[tick](r, "n", 1<<30), shm.ErrNoSpace, "atomics.OpenArray feed/n: 1073741824 elements of 16 bytes, more than any region holds: no space"},
		{"unexported", queue[private](r, "n", nil), ring.ErrCodec, "ring.OpenQueue feed/n: message does not encode or decode: messages_test.private: field n is unexported and would be lost"},
		{"channel", queue[chan int](r, "n", nil), ring.ErrCodec, "ring.OpenQueue feed/n: message does not encode or decode: chan int: it is a chan, which cannot be encoded"},
	})
}

func TestEntries(t *testing.T) {
	r := feed(t, &shm.Options{Objects: 1})
	testproc.Get(tsync.OpenMutex(r, "first"))(t)
	check(t, []row{{"one more", mutex(r, "second"), shm.ErrNoSpace,
		"sync.OpenMutex feed/second: no space: an entry needed, 1 objects of at most 1 in the region (Options.Objects, when it was made), and 0 removed ones or connections that somebody has open"}})
	if err := r.Remove("first"); err != nil {
		t.Fatal(err)
	}
	testproc.Get(tsync.OpenMutex(r, "second"))(t)
}

func TestOperations(t *testing.T) {
	r := feed(t, nil)
	mu := testproc.Get(tsync.OpenMutex(r, "accounts"))(t)
	q := testproc.Get(ring.OpenQueue[tick](r, "jobs", &ring.QueueOptions{Capacity: 1}))(t)
	text := testproc.Get(ring.OpenQueue[string](r, "text", &ring.QueueOptions{MaxMessage: 100, Buffer: 4096}))(t)
	large := testproc.Get(ring.OpenQueue[[200]byte](r, "large", nil))(t)
	bytes := testproc.Get(ring.OpenQueue[[]byte](r, "bytes", &ring.QueueOptions{MaxMessage: 100, Buffer: 4096}))(t)
	l := testproc.Get(bytes.Loan(ctx, 7))(t)
	ticks := testproc.Get(ring.OpenSPSC[tick](r, "ticks", nil))(t)
	coded := testproc.Get(ring.OpenQueue[tick](r, "coded", &ring.QueueOptions{Codec: mute{"mine"}}))(t)
	hits := testproc.Get(atomics.OpenValue(r, "hits", int64(3)))(t)
	unchanged(t, r)
	long := strings.Repeat("x", 101)
	check(t, []row{
		{"too large", func() error { return text.Put(ctx, long) }, ring.ErrTooLarge, "queue.Put feed/text: 101 bytes, at most 100: message is too large"},
		{"try too large", func() error { return text.TryPut(long) }, ring.ErrTooLarge, "queue.TryPut feed/text: 101 bytes, at most 100: message is too large"},
		{"does not encode", func() error { return coded.Put(ctx, tick{}) }, errMute, "queue.Put feed/coded: message does not encode or decode: it says nothing"},
		{"empty", func() error { return second(q.TryGet()) }, ring.ErrEmpty, "queue.TryGet feed/jobs: no message now"},
		{"none to lease", func() error { return second(q.TryLease()) }, ring.ErrEmpty, "queue.TryLease feed/jobs: no message now"},
		{"an SPSC's empty", func() error { return second(ticks.TryGet()) }, ring.ErrEmpty, "spsc.TryGet feed/ticks: no message now"},
		{"an SPSC's put, ended", func() error { return ticks.Put(ended(), tick{}) }, ctxErr, "spsc.Put feed/ticks: context canceled"},
		{"an SPSC's batch, ended", func() error { return second(ticks.PutBatch(ended(), make([]tick, 2))) }, ctxErr, "spsc.PutBatch feed/ticks: context canceled"},
		{"an SPSC's get, ended", func() error { return second(ticks.Get(ended())) }, ctxErr, "spsc.Get feed/ticks: context canceled"},
		{"none gotten", func() error { return q.TaskDone() }, ring.ErrOverDone, "queue.TaskDone feed/jobs: more done than gotten"},
		{"put, ended", func() error { return q.Put(ended(), tick{}) }, ctxErr, "queue.Put feed/jobs: context canceled"},
		{"get, ended", func() error { return second(q.Get(ended())) }, ctxErr, "queue.Get feed/jobs: context canceled"},
		{"join, ended", func() error { return q.Join(ended()) }, ctxErr, "queue.Join feed/jobs: context canceled"},
		{"get into nothing", func() error { return q.GetInto(ctx, nil) }, fs.ErrInvalid, "queue.GetInto feed/jobs: nothing to get it into: invalid argument"},
		{"get into, ended", func() error { return q.GetInto(ended(), new(tick)) }, ctxErr, "queue.GetInto feed/jobs: context canceled"},
		{"loan, ended", func() error { return second(q.Loan(ended(), 1)) }, ctxErr, "queue.Loan feed/jobs: context canceled"},
		{"loan of what is small", func() error { return second(q.Loan(ctx, 1)) }, shm.ErrNotPlain, "queue.Loan feed/jobs: a loan of messages_test.tick, which lies in its slot: type is not plain"},
		{"loan of a string", func() error { return second(text.Loan(ctx, 1)) }, shm.ErrNotPlain, "queue.Loan feed/text: a loan of string, which has no memory of its own in a message: type is not plain"},
		{"loan of two", func() error { return second(large.Loan(ctx, 2)) }, fs.ErrInvalid, "queue.Loan feed/large: a loan of 2, of a plain type it is of 1: invalid argument"},
		{"loan of less than nothing", func() error { return second(bytes.Loan(ctx, -1)) }, fs.ErrInvalid, "queue.Loan feed/bytes: a loan of -1 bytes: invalid argument"},
		{"loan of too much", func() error { return second(bytes.Loan(ctx, 101)) }, ring.ErrTooLarge, "queue.Loan feed/bytes: a loan of 101 bytes, at most 100: message is too large"},
		{"put more than is lent", func() error { return l.Put(ctx, 8) }, fs.ErrInvalid, "loan.Put feed/bytes: a message of 8 in a loan of 7: invalid argument"},
		{"put a loan, ended", func() error { return l.Put(ended(), 1) }, ctxErr, "loan.Put feed/bytes: context canceled"},
		{"put a zero Loan", func() error { return ring.Loan[int]{}.Put(ctx, 1) }, shm.ErrNotOwner, "loan.Put: a zero Loan: not held by the caller"},
		{"drop a zero Loan", func() error { return ring.Loan[int]{}.Drop() }, shm.ErrNotOwner, "loan.Drop: a zero Loan: not held by the caller"},
		{"a zero Delivery", func() error { return ring.Delivery[int]{}.Ack() }, shm.ErrNotOwner, "delivery.Ack: a zero Delivery: not held by the caller"},
		{"unlock", func() error { return mu.Unlock() }, tsync.ErrNotLocked, "mutex.Unlock feed/accounts: not locked"},
		{"mark", func() error { return mu.MarkConsistent() }, tsync.ErrNotLocked, "mutex.MarkConsistent feed/accounts: not locked"},
		{"lock, ended", func() error { return mu.Lock(ended()) }, ctxErr, "mutex.Lock feed/accounts: context canceled"},
		{"unlock a value", func() error { return hits.Unlock() }, tsync.ErrNotLocked, "value.Unlock feed/hits: not locked"},
	})
}

func TestBroadcast(t *testing.T) {
	r := feed(t, &shm.Options{Participants: 2})
	b := testproc.Get(ring.OpenBroadcast[tick](r, "news", &ring.BroadcastOptions{Capacity: 1}))(t)
	text := testproc.Get(ring.OpenBroadcast[string](r, "text", &ring.BroadcastOptions{MaxMessage: 100, Buffer: 4096}))(t)
	coded := testproc.Get(ring.OpenBroadcast[tick](r, "coded", &ring.BroadcastOptions{Codec: mute{"mine"}}))(t)
	s := testproc.Get(b.Subscribe())(t)
	for range 63 {
		testproc.Get(b.Subscribe())(t)
	}
	if err := b.Publish(ctx, tick{}); err != nil {
		t.Fatal(err)
	}
	next := func(ctx context.Context) error { _, _, err := s.Next(ctx); return err }
	check(t, []row{
		{"full", func() error { return b.TryPublish(tick{}) }, ring.ErrFull, "broadcast.TryPublish feed/news: no room for a message now"},
		{"publish, ended", func() error { return b.Publish(ended(), tick{}) }, ctxErr, "broadcast.Publish feed/news: context canceled"},
		{"next, ended", func() error { return next(ended()) }, ctxErr, "subscriber.Next feed/news: context canceled"},
		{"too large", func() error { return text.Publish(ctx, strings.Repeat("x", 101)) }, ring.ErrTooLarge, "broadcast.Publish feed/text: 101 bytes, at most 100: message is too large"},
		{"does not encode", func() error { return coded.TryPublish(tick{}) }, errMute, "broadcast.TryPublish feed/coded: message does not encode or decode: it says nothing"},
		{"one subscriber more", func() error { return second(b.Subscribe()) }, shm.ErrNoSpace, "broadcast.Subscribe feed/news: as many subscribers as there may be: no space"},
		{"nobody's", func() error { return new(ring.Broadcast[tick]).TryPublish(tick{}) }, fs.ErrInvalid, "broadcast.TryPublish: the handle was not made by OpenBroadcast: invalid argument"},
		{"nobody's subscriber", new(ring.Subscriber[tick]).Close, fs.ErrInvalid, "subscriber.Close: the subscriber was not made by Subscribe: invalid argument"},
	})
	if err := errors.Join(b.Shutdown(), next(ctx)); err != nil {
		t.Fatal(err)
	}
	check(t, []row{
		{"publish", func() error { return b.Publish(ctx, tick{}) }, ring.ErrShutdown, "broadcast.Publish feed/news: shut down"},
		{"try to publish", func() error { return b.TryPublish(tick{}) }, ring.ErrShutdown, "broadcast.TryPublish feed/news: shut down"},
		{"next", func() error { return next(ctx) }, io.EOF, "subscriber.Next feed/news: EOF"},
	})
	if err := errors.Join(s.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	check(t, []row{
		{"next, closed", func() error { return next(ctx) }, shm.ErrClosed, "subscriber.Next feed/news: the handle is closed"},
		{"publish, closed", func() error { return b.TryPublish(tick{}) }, shm.ErrClosed, "broadcast.TryPublish feed/news: the handle is closed"},
		{"shut down, closed", b.Shutdown, shm.ErrClosed, "broadcast.Shutdown feed/news: the handle is closed"},
		{"subscribe, closed", func() error { return second(b.Subscribe()) }, shm.ErrClosed, "broadcast.Subscribe feed/news: the handle is closed"},
	})
}

func TestPipe(t *testing.T) {
	r := feed(t, nil)
	open := func(end ring.End, o *ring.PipeOptions) func() error {
		return func() error { return second(ring.OpenPipe[tick](r, "pipe", end, o)) }
	}
	left := testproc.Get(ring.OpenPipe[tick](r, "pipe", ring.Left, nil))(t)
	right := testproc.Get(ring.OpenPipe[tick](r, "pipe", ring.Right, nil))(t)
	sends := testproc.Get(ring.OpenPipe[string](r, "one", ring.Left, &ring.PipeOptions{Direction: ring.OneWay, Buffer: 100}))(t)
	gets := testproc.Get(ring.OpenPipe[string](r, "one", ring.Right, nil))(t)
	coded := testproc.Get(ring.OpenPipe[tick](r, "coded", ring.Left, &ring.PipeOptions{Codec: mute{"mine"}}))(t)
	check(t, []row{
		{"end", open(7, nil), fs.ErrInvalid, "ring.OpenPipe feed/pipe: end 7, want Left or Right: invalid argument"},
		{"direction", open(ring.Left, &ring.PipeOptions{Direction: 9}), fs.ErrInvalid, "ring.OpenPipe feed/pipe: direction 9, want Duplex or OneWay: invalid argument"},
		{"buffer", open(ring.Left, &ring.PipeOptions{Buffer: -1}), fs.ErrInvalid, "ring.OpenPipe feed/pipe: buffer -1, want 8 to 1099511627776, or 0 for the default: invalid argument"},
		{"short buffer", open(ring.Left, &ring.PipeOptions{Buffer: 20}), fs.ErrInvalid, "ring.OpenPipe feed/pipe: buffer 20 for messages of 16 bytes, want 24: invalid argument"},
		{"another direction", open(ring.Left, &ring.PipeOptions{Direction: ring.OneWay}), shm.ErrMismatch, "ring.OpenPipe feed/pipe" + another + "direction: one way here, duplex in the region"},
		{"another buffer", open(ring.Left, &ring.PipeOptions{Buffer: 64}), shm.ErrMismatch, "ring.OpenPipe feed/pipe" + another + "buffer: 64 here, 65536 in the region"},
		{"too large", func() error { return sends.Send(ctx, strings.Repeat("x", 93)) }, ring.ErrTooLarge, "conn.Send feed/one: 93 bytes, at most 92: message is too large"},
		{"does not encode", func() error { return coded.Send(ctx, tick{}) }, errMute, "conn.Send feed/coded: message does not encode or decode: it says nothing"},
		{"send the wrong way", func() error { return gets.Send(ctx, "x") }, ring.ErrDirection, "conn.Send feed/one: messages go from left to right only"},
		{"receive the wrong way", func() error { return second(sends.Recv(ctx)) }, ring.ErrDirection, "conn.Recv feed/one: messages go from left to right only"},
		{"receive into, the wrong way", func() error { return sends.RecvInto(ctx, new(string)) }, ring.ErrDirection, "conn.RecvInto feed/one: messages go from left to right only"},
		{"receive into nothing", func() error { return left.RecvInto(ctx, nil) }, fs.ErrInvalid, "conn.RecvInto feed/pipe: nothing to receive it into: invalid argument"},
		{"poll the wrong way", func() error { return sends.Poll(ctx) }, ring.ErrDirection, "conn.Poll feed/one: messages go from left to right only"},
		{"send, ended", func() error { return left.Send(ended(), tick{}) }, ctxErr, "conn.Send feed/pipe: context canceled"},
		{"receive, ended", func() error { return second(left.Recv(ended())) }, ctxErr, "conn.Recv feed/pipe: context canceled"},
		{"receive into, ended", func() error { return left.RecvInto(ended(), new(tick)) }, ctxErr, "conn.RecvInto feed/pipe: context canceled"},
		{"poll, ended", func() error { return left.Poll(ended()) }, ctxErr, "conn.Poll feed/pipe: context canceled"},
	})
	if err := right.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, []row{
		{"open what is gone", open(ring.Right, nil), syscall.EPIPE, "ring.OpenPipe feed/pipe: the right end is gone: broken pipe"},
		{"send to nobody", func() error { return left.Send(ctx, tick{}) }, syscall.EPIPE, "conn.Send feed/pipe: the other end is gone: broken pipe"},
		{"receive from nobody", func() error { return second(left.Recv(ctx)) }, io.EOF, "conn.Recv feed/pipe: EOF"},
		{"send, closed", func() error { return right.Send(ctx, tick{}) }, shm.ErrClosed, "conn.Send feed/pipe: the handle is closed"},
		{"receive, closed", func() error { return second(right.Recv(ctx)) }, shm.ErrClosed, "conn.Recv feed/pipe: the handle is closed"},
		{"receive into, closed", func() error { return right.RecvInto(ctx, new(tick)) }, shm.ErrClosed, "conn.RecvInto feed/pipe: the handle is closed"},
		{"poll, closed", func() error { return right.Poll(ctx) }, shm.ErrClosed, "conn.Poll feed/pipe: the handle is closed"},
	})
}

func TestStreams(t *testing.T) {
	r := feed(t, nil)
	listen := func(o *ring.ListenOptions) func() error {
		return func() error { return second(ring.Listen(r, "web", o)) }
	}
	dial := func(c context.Context) func() error { return func() error { return second(ring.Dial(c, r, "web")) } }
	check(t, []row{
		{"dial nobody", dial(ctx), syscall.ECONNREFUSED, "ring.Dial feed/web: nobody listens: connection refused"},
		{"dial, ended", dial(ended()), ctxErr, "ring.Dial feed/web: context canceled"},
		{"buffer", listen(&ring.ListenOptions{Buffer: -1}), fs.ErrInvalid, "ring.Listen feed/web: buffer -1, want 1 to 1073741824, or 0 for 262144: invalid argument"},
		{"backlog", listen(&ring.ListenOptions{Backlog: -1}), fs.ErrInvalid, "ring.Listen feed/web: backlog -1, want 1 to 1048576, or 0 for 128: invalid argument"},
	})
	l := testproc.Get(ring.Listen(r, "web", nil))(t)
	check(t, []row{
		{"listen twice", listen(nil), syscall.EADDRINUSE, "ring.Listen feed/web: somebody listens already: address already in use"},
		{"listen twice, otherwise", listen(&ring.ListenOptions{Backlog: 1}), syscall.EADDRINUSE, "ring.Listen feed/web: somebody listens already: address already in use"},
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for op, err := range map[string]error{"accept": second(l.Accept()), "close": l.Close()} { // package net's
		if want := op + " tandem " + l.Addr().String() + ": use of closed network connection"; !errors.Is(err, net.ErrClosed) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	check(t, []row{
		{"dial nobody any more", dial(ctx), syscall.ECONNREFUSED, "ring.Dial feed/web: nobody listens: connection refused"},
		{"of another make", func() error { return second(ring.Listen(r.Existing(), "web", &ring.ListenOptions{Backlog: 1})) }, shm.ErrMismatch,
			"ring.Listen feed/web" + another + "backlog: 1 here, 128 in the region"},
	})
}

func TestEnds(t *testing.T) {
	r := feed(t, nil)
	q := testproc.Get(ring.OpenQueue[tick](r, "jobs", &ring.QueueOptions{Capacity: 1}))(t)
	if err := q.Put(ctx, tick{}); err != nil {
		t.Fatal(err)
	}
	ticks := testproc.Get(ring.OpenSPSC[tick](r, "ticks", &ring.SPSCOptions{Capacity: 1}))(t)
	if err := ticks.Put(ctx, tick{}); err != nil {
		t.Fatal(err)
	}
	check(t, []row{
		{"full", func() error { return q.TryPut(tick{}) }, ring.ErrFull, "queue.TryPut feed/jobs: no room for a message now"},
		{"an SPSC, full", func() error { return ticks.TryPut(tick{}) }, ring.ErrFull, "spsc.TryPut feed/ticks: no room for a message now"},
	})
	if err := errors.Join(ticks.Shutdown(), second(ticks.Get(ctx))); err != nil {
		t.Fatal(err)
	}
	d := testproc.Get(q.Lease(ctx))(t)
	bytes := testproc.Get(ring.OpenQueue[[]byte](r, "bytes", nil))(t)
	l, other := testproc.Get(bytes.Loan(ctx, 1))(t), testproc.Get(bytes.Loan(ctx, 1))(t)
	if err := errors.Join(d.Ack(), q.Shutdown(), l.Put(ctx, 1), bytes.Shutdown()); err != nil {
		t.Fatal(err)
	}
	check(t, []row{
		{"put a loan twice", func() error { return l.Put(ctx, 1) }, shm.ErrNotOwner, "loan.Put feed/bytes: put or dropped before: not held by the caller"},
		{"drop after put", l.Drop, shm.ErrNotOwner, "loan.Drop feed/bytes: put or dropped before: not held by the caller"},
		{"put a loan", func() error { return other.Put(ctx, 1) }, ring.ErrShutdown, "loan.Put feed/bytes: shut down"},
		{"loan", func() error { return second(bytes.Loan(ctx, 1)) }, ring.ErrShutdown, "queue.Loan feed/bytes: shut down"},
		{"get into", func() error { return q.GetInto(ctx, new(tick)) }, io.EOF, "queue.GetInto feed/jobs: EOF"},
		{"ack twice", d.Ack, shm.ErrNotOwner, "delivery.Ack feed/jobs: acknowledged or given back before: not held by the caller"},
		{"nack after", d.Nack, shm.ErrNotOwner, "delivery.Nack feed/jobs: acknowledged or given back before: not held by the caller"},
		{"put", func() error { return q.Put(ctx, tick{}) }, ring.ErrShutdown, "queue.Put feed/jobs: shut down"},
		{"try to put", func() error { return q.TryPut(tick{}) }, ring.ErrShutdown, "queue.TryPut feed/jobs: shut down"},
		{"get", func() error { return second(q.Get(ctx)) }, io.EOF, "queue.Get feed/jobs: EOF"},
		{"try to get", func() error { return second(q.TryGet()) }, io.EOF, "queue.TryGet feed/jobs: EOF"},
		{"lease", func() error { return second(q.Lease(ctx)) }, io.EOF, "queue.Lease feed/jobs: EOF"},
		{"try to lease", func() error { return second(q.TryLease()) }, io.EOF, "queue.TryLease feed/jobs: EOF"},
		{"put into an SPSC", func() error { return ticks.Put(ctx, tick{}) }, ring.ErrShutdown, "spsc.Put feed/ticks: shut down"},
		{"get from an SPSC", func() error { return second(ticks.Get(ctx)) }, io.EOF, "spsc.Get feed/ticks: EOF"},
		{"try to get from an SPSC", func() error { return second(ticks.TryGet()) }, io.EOF, "spsc.TryGet feed/ticks: EOF"},
	})
}

var holder = testproc.Role("holder", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	mu, err := tsync.OpenMutex(r.Existing(), "accounts")
	testproc.Must(err)
	testproc.Must(mu.Lock(ctx))
	testproc.Say("locked")
	testproc.Hear()
})

func TestHeldByOthers(t *testing.T) {
	r := feed(t, &shm.Options{Participants: 2})
	mu := testproc.Get(tsync.OpenMutex(r, "accounts"))(t)
	c := holder.Start(t, "feed")
	c.Expect("locked")
	check(t, []row{
		{"unlock", mu.Unlock, tsync.ErrNotOwner, "mutex.Unlock feed/accounts: not held by the caller"},
		{"mark", mu.MarkConsistent, tsync.ErrNotOwner, "mutex.MarkConsistent feed/accounts: not held by the caller"},
	})
	third := joiner.Start(t, "feed")
	if got, want := third.Line(), "true shm.Open feed: 2 participants, all of them alive (Options.Participants says how many there can be, when a region is made): too many participants"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c.Kill()
	check(t, []row{
		{"lock", func() error { return mu.Lock(ctx) }, tsync.ErrOwnerDied, "mutex.Lock feed/accounts: a holder died and nobody has repaired since"},
		{"try to lock", func() error { return second(mu.TryLock()) }, tsync.ErrOwnerDied, "mutex.TryLock feed/accounts: a holder died and nobody has repaired since"},
	})
}

var joiner = testproc.Role("joiner", func(args []string) {
	_, err := shm.Open(args[0], nil)
	testproc.Say(errors.Is(err, shm.ErrTooManyParticipants), err)
})
