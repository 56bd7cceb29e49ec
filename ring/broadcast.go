package ring

import (
	"context"
	"fmt"
	"io/fs"
	"reflect"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/codec"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/plain"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// A Broadcast is a ring of messages that every subscriber sees, each all of them from the
// next one published on, for any number of publishers and subscribers in any processes.
// What mode it has is decided when it is made:
//
//   - [Reliable]: no subscriber misses a message. [Broadcast.Publish] waits, when the ring
//     is full, for the slowest live one. One that died or was closed does not count any more;
//     one that is stopped does
//   - [Lossy]: no publisher waits for a subscriber. One that falls behind by more than the
//     ring has loses the oldest messages, and is told exactly how many
//
// A publisher that is stopped or killed at any instruction holds up nobody, but that the
// memory of the one message that a stopped one has in hand is not there for others: where T
// varies in length, as many stopped in Publish as Buffer has room for messages of
// MaxMessage hold up all other publishers until one goes on or dies.
//
// In the terminology of the [Go memory model], a call of [Broadcast.Publish] synchronizes
// before the return of each [Subscriber.Next] that returns its message, in whatever
// processes; a call of [Broadcast.Shutdown] before that of a Next or a Publish which ends
// with io.EOF or [ErrShutdown] by it. Nothing else is ordered: two Publishes are not, nor
// what a subscriber did before a Publish that waited for it.
//
// [Go memory model]: https://go.dev/ref/mem
type Broadcast[T any] struct {
	eng    *engine.Broadcast
	core   *object.Core
	closed *atomic.Bool // nil: OpenBroadcast did not make the handle
	lines
	full, shut error // of TryPublish
}

// lines is how a T becomes a message, and how this handle waits.
type lines struct {
	form    form
	codec   Codec
	spinner *wait.Spinner
	mode    wait.Mode
	size    int         // bytes of a plain T
	mend    *plain.Type // of a plain T with bools; else nil
}

const opOpenBroadcast = "ring.OpenBroadcast"

var errNoBroadcast = fmt.Errorf("the handle was not made by OpenBroadcast: %w", fs.ErrInvalid)

// OpenBroadcast finds the broadcast of this name, or makes it. nil options take the
// defaults, or what is there.
//
// It blocks, and fails, as every OpenX does (package shm). Another T, mode, capacity, buffer, length or
// codec than the broadcast has is shm.ErrMismatch, naming what differs. A T that no codec
// is given for and that has unexported fields or such is [ErrCodec], naming the first.
// Numbers out of their range are fs.ErrInvalid.
func OpenBroadcast[T any](r *shm.Region, name string, o *BroadcastOptions) (b *Broadcast[T], err error) {
	if o == nil {
		o = &BroadcastOptions{}
	}
	s, f, err := o.spec(name, reflect.TypeFor[T]())
	if err != nil {
		return nil, &shm.Error{Op: opOpenBroadcast, Region: r.Name(), Object: name, Err: err}
	}
	_, err = object.Open(r, s, func(c *object.Core) (err error) {
		if o.Codec != nil {
			RegisterCodec(o.Codec)
		}
		b, err = newBroadcast[T](c, f, *o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func newBroadcast[T any](core *object.Core, f form, o BroadcastOptions) (*Broadcast[T], error) {
	eng, err := broadcastOf(core)
	if err != nil {
		return nil, err
	}
	size := int(reflect.TypeFor[T]().Size())
	if f == raw && !eng.Holds(size) {
		return nil, shm.ErrCorrupt // its fields say T, its words do not
	}
	b := &Broadcast[T]{eng: eng, core: core, closed: core.Closed}
	b.lines = lines{form: f, codec: o.Codec, spinner: wait.NewSpinner(wait.Mode(o.Wait)), mode: wait.Mode(o.Wait), size: size, mend: mends(f, reflect.TypeFor[T]())}
	if f == encoded && b.codec == nil {
		b.codec = cborCodec{codec.EncoderOf(reflect.TypeFor[T](), eng.MaxMessage())}
	}
	b.full, b.shut = core.Err(opTryPublish.String(), ErrFull), core.Err(opTryPublish.String(), ErrShutdown)
	return b, nil
}

// broadcastOf is what this process has once of a broadcast.
func broadcastOf(core *object.Core) (*engine.Broadcast, error) {
	var err error
	v := core.SharedOnce(func() any {
		var eng *engine.Broadcast
		eng, err = engine.AttachBroadcast(core.Area, core.Env)
		return eng
	})
	core.KeepAlive()
	if eng := v.(*engine.Broadcast); eng != nil {
		return eng, nil
	}
	if err == nil { // another was told
		err = shm.ErrCorrupt
	}
	return nil, err
}

// Publish makes v the next message, for all who subscribe. Of a [Reliable] broadcast it
// waits while the ring is full, for the slowest live subscriber. Of a [Lossy] one it waits
// for no subscriber: only for memory, while all of Buffer is in messages that other calls
// are just writing.
//
// [ErrShutdown] once somebody called Shutdown, [ErrTooLarge] and [ErrCodec] where v cannot be
// a message, as [Queue.Put] says it; [shm.ErrClosed] after Close, ctx's error when ctx ends.
// Then nothing was published.
//
// A process that dies in Publish has published the whole message, or nothing.
func (b *Broadcast[T]) Publish(ctx context.Context, v T) error {
	if !object.Endless(ctx) {
		if err := ctx.Err(); err != nil {
			return b.fail(opPublish, err)
		}
	}
	return b.publish(ctx, opPublish, v)
}

// TryPublish is Publish without waiting: [ErrFull] where Publish would. It never blocks.
func (b *Broadcast[T]) TryPublish(v T) error {
	return b.publish(context.Background(), opTryPublish, v)
}

func (b *Broadcast[T]) publish(ctx context.Context, o operation, v T) error {
	if b.closed == nil || b.closed.Load() {
		return b.fail(o, shm.ErrClosed)
	}
	var msg []byte
	switch b.form {
	case raw:
		msg = unsafe.Slice((*byte)(unsafe.Pointer(&v)), b.size)
	case asBytes:
		msg = *(*[]byte)(unsafe.Pointer(&v))
	case asText:
		s := *(*string)(unsafe.Pointer(&v))
		msg = unsafe.Slice(unsafe.StringData(s), len(s))
	case encoded:
		return b.publishEncoded(ctx, o, &v)
	}
	return b.send(ctx, o, msg)
}

// publishEncoded has nothing in hand while the user's code runs, which may take its time,
// and panic.
//
//go:noinline
func (b *Broadcast[T]) publishEncoded(ctx context.Context, o operation, v *T) error {
	buf := takeBuffer()
	var err error
	if *buf, err = b.codec.Append((*buf)[:0], *v); err != nil {
		giveBuffer(buf)
		return b.fail(o, codecError(err))
	}
	err = b.send(ctx, o, *buf)
	giveBuffer(buf)
	return err
}

func (b *Broadcast[T]) send(ctx context.Context, o operation, msg []byte) error {
	if len(msg) > b.eng.MaxMessage() {
		return b.fail(o, fmt.Errorf("%d bytes, at most %d: %w", len(msg), b.eng.MaxMessage(), ErrTooLarge))
	}
	looked(msg) // before memory is claimed for it
	var err error
	if o == opTryPublish {
		err = b.eng.TryPublish(msg)
	} else if err = b.eng.PublishNow(msg); err == ErrFull {
		err = b.sendLater(ctx, msg)
	}
	if err != nil {
		return b.fail(o, err)
	}
	b.core.KeepAlive()
	return nil
}

// sendLater waits for room.
//
//go:noinline
func (b *Broadcast[T]) sendLater(ctx context.Context, msg []byte) error {
	if b.eng.RoomSoon(b.spinner.Lulls(), b.spinner.Looks()) {
		b.spinner.Seen()
		if err := b.eng.PublishNow(msg); err != ErrFull {
			return err
		}
	}
	w := b.core.WaiterWith(ctx, b.spinner)
	defer w.Done()
	return b.eng.Publish(w, msg)
}

// Subscribe makes a subscriber, which sees all messages from the next one published on:
// each whose Publish begins after Subscribe returned, and none whose Publish returned
// before Subscribe began. It does not block.
//
// There may be max(64, 2·Participants) at once, as many in one process as one likes;
// beyond that it is shm.ErrNoSpace. A subscriber ends by its Close, when nothing in the
// process reaches it any more, at Region.Close, and when the process dies; the handle that
// made it may be closed before.
func (b *Broadcast[T]) Subscribe() (*Subscriber[T], error) {
	if b.closed == nil || b.closed.Load() {
		return nil, b.fail(opSubscribe, shm.ErrClosed)
	}
	sub, err := b.eng.Subscribe()
	if err == engine.ErrNoRow {
		err = fmt.Errorf("%w: %w", err, shm.ErrNoSpace)
	}
	if err != nil {
		return nil, b.fail(opSubscribe, err)
	}
	return newSubscriber[T](sub, b.core.Handle(), b.lines), nil
}

// Shutdown ends the broadcast for all processes, for good: from its return on no message is
// published, and a call that waits to publish one gets [ErrShutdown]. Subscribers get what
// was published, then io.EOF. It does not block. A process that dies in it has shut it down,
// or has not. A second Shutdown does nothing. A broadcast of the name begins anew after
// Region.Remove.
func (b *Broadcast[T]) Shutdown() error {
	if b.closed == nil || b.closed.Load() {
		return b.fail(opShutdownBroadcast, shm.ErrClosed)
	}
	err := shm.ErrClosed
	b.core.Release()
	b.core.Gate.Here(func() { err = b.eng.Shutdown() })
	return b.done(opShutdownBroadcast, err)
}

// Close ends this handle and nothing else: its calls return shm.ErrClosed from then on,
// those that wait in other goroutines, too, with nothing published. It blocks for nobody.
// Its subscribers go on. A second Close does nothing.
func (b *Broadcast[T]) Close() error {
	if b.core == nil {
		return b.fail(opCloseBroadcast, shm.ErrClosed)
	}
	b.core.Close()
	return nil
}

// Cap returns how many messages the ring holds. It stays the same, after Close too.
func (b *Broadcast[T]) Cap() int {
	if b.eng == nil {
		return 0
	}
	return b.eng.Cap()
}

func (b *Broadcast[T]) done(o operation, err error) error {
	if err != nil {
		return b.fail(o, err)
	}
	b.core.KeepAlive()
	return nil
}

// fail makes the error of an operation, or has it made already.
//
//go:noinline
func (b *Broadcast[T]) fail(o operation, err error) error {
	if b.core == nil {
		return b.core.Done(o.String(), errNoBroadcast)
	}
	b.core.Over(err, ErrShutdown)
	if o == opTryPublish && !b.closed.Load() {
		switch err {
		case ErrFull:
			return b.full
		case ErrShutdown:
			return b.shut
		}
	}
	return b.core.Done(o.String(), err)
}
