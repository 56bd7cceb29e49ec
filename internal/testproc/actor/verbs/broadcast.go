package verbs

import (
	"context"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Of broadcasts the first argument names the broadcast, and the second, where there is one,
// what the actor calls its subscriber.

// News is a broadcast of numbers, whatever messages they are.
type News interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
	Shutdown() error
	Close() error

	publish(context.Context, int64) error
	tryPublish(int64) error
	subscribe() (Reader, error)
}

// A Reader subscribes to News.
type Reader interface {
	shm.Waitable
	Poll(context.Context) error
	Close() error

	next(context.Context) (n int64, missed uint64, err error)
	all(context.Context) iter.Seq2[int64, error]
}

type newsOf[T any] struct {
	*ring.Broadcast[T]
	form[T]
}

type readerOf[T any] struct {
	*ring.Subscriber[T]
	form[T]
}

func (b newsOf[T]) publish(ctx context.Context, n int64) error {
	v := b.to(n)
	defer b.spoil(v)
	return b.Publish(ctx, v)
}

func (b newsOf[T]) tryPublish(n int64) error {
	v := b.to(n)
	defer b.spoil(v)
	return b.TryPublish(v)
}

func (b newsOf[T]) subscribe() (Reader, error) {
	s, err := b.Subscribe()
	return readerOf[T]{s, b.form}, err
}

func (s readerOf[T]) next(ctx context.Context) (int64, uint64, error) {
	v, missed, err := s.Next(ctx)
	if err != nil {
		return 0, missed, err
	}
	return s.from(v), missed, nil
}

func (s readerOf[T]) all(ctx context.Context) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		for v, err := range s.All(ctx) {
			n := int64(0)
			if err == nil {
				n = s.from(v)
			}
			if !yield(n, err) {
				return
			}
		}
	}
}

func openNews[T any](e *actor.Env, name string, f form[T]) (News, error) {
	o := &ring.BroadcastOptions{Mode: ring.Reliable, Capacity: 4, Buffer: 64 << 10}
	if strings.Contains(name, "lossy") {
		o.Mode = ring.Lossy
	}
	b, err := ring.OpenBroadcast[T](e.Region, name, o)
	return newsOf[T]{b, f}, err
}

func newsAt(e *actor.Env, name string) (News, error) {
	switch formed(name) {
	case "bytes":
		return openNews(e, name, bytesForm)
	case "record":
		return openNews(e, name, recordForm)
	}
	return openNews(e, name, plainForm)
}

// Broadcast is the actor's broadcast of a name, of four numbers. It is a lossy one if its
// name has that in it, and of bytes, or of records by CBOR, if it ends with ".bytes" or
// ".record".
func Broadcast(e *actor.Env, name string) News {
	return actor.Handle(e, name, func() (News, error) { return newsAt(e, name) })
}

// Subscriber is the actor's subscriber of a broadcast, which it makes the first time.
func Subscriber(e *actor.Env, args []string) Reader {
	b := Broadcast(e, args[0])
	return actor.Handle(e, "subscriber "+named(args), b.subscribe)
}

var (
	_ = actor.Verb("broadcast.open", func(e *actor.Env, args []string) string { // another handle, which is the actor's from now on
		b, err := newsAt(e, args[0])
		if err != nil {
			return Refusal(err)
		}
		e.Drop(args[0])
		actor.Handle(e, args[0], func() (News, error) { return b, nil })
		return "ok"
	})
	_ = actor.Verb("broadcast.publish", func(e *actor.Env, args []string) string { // number, [timeout]
		ctx, cancel := e.Within(args, 2)
		defer cancel()
		return Ringed(Broadcast(e, args[0]).publish(ctx, numbers(args[1:2])[0]))
	})
	_ = actor.Verb("broadcast.try", func(e *actor.Env, args []string) string { // number
		return Ringed(Broadcast(e, args[0]).tryPublish(numbers(args[1:])[0]))
	})
	_ = actor.Verb("broadcast.shutdown", func(e *actor.Env, args []string) string { return Ringed(Broadcast(e, args[0]).Shutdown()) })
	_ = actor.Verb("broadcast.close", func(e *actor.Env, args []string) string { return Ringed(Broadcast(e, args[0]).Close()) })

	_ = actor.Verb("broadcast.subscribe", func(e *actor.Env, args []string) string { // as
		s, err := Broadcast(e, args[0]).subscribe()
		if err == nil {
			actor.Handle(e, "subscriber "+named(args), func() (Reader, error) { return s, nil })
		}
		return Ringed(err)
	})
	_ = actor.Verb("broadcast.next", func(e *actor.Env, args []string) string { // as, [timeout]: the number, and how many were missed
		ctx, cancel := e.Within(args, 2)
		defer cancel()
		n, missed, err := Subscriber(e, args).next(ctx)
		answer := Ringed(err)
		if err == nil {
			answer = fmt.Sprint(n)
		}
		if missed > 0 {
			answer += fmt.Sprintf(", %d missed", missed)
		}
		return answer
	})
	_ = actor.Verb("broadcast.poll", func(e *actor.Env, args []string) string { // as, [timeout]
		ctx, cancel := e.Within(args, 2)
		defer cancel()
		return Ringed(Subscriber(e, args).Poll(ctx))
	})
	_ = actor.Verb("broadcast.leave", func(e *actor.Env, args []string) string { return Ringed(Subscriber(e, args).Close()) }) // as

	// Publishes numbers from the first to the last, and waits where it must.
	_ = actor.Verb("broadcast.publishall", func(e *actor.Env, args []string) string {
		b, ns := Broadcast(e, args[0]), numbers(args[1:])
		for n := ns[0]; n <= ns[1]; n++ {
			if err := b.publish(e.Ctx, n); err != nil {
				return Ringed(err)
			}
		}
		return "ok"
	})
	// Gets numbers to the end, and says which they were.
	_ = actor.Verb("broadcast.nextall", func(e *actor.Env, args []string) string { // as
		s, got := Subscriber(e, args), []int64(nil)
		for {
			n, missed, err := s.next(e.Ctx)
			switch {
			case errors.Is(err, io.EOF) && missed == 0:
				return told(got, nil)
			case err != nil || missed > 0:
				return fmt.Sprintf("%s, %d missed, after %s", Ringed(err), missed, told(got, nil))
			}
			got = append(got, n)
		}
	})
	// The same by All.
	_ = actor.Verb("broadcast.all", func(e *actor.Env, args []string) string { // as
		got := []int64(nil)
		for n, err := range Subscriber(e, args).all(e.Ctx) {
			if err != nil {
				return Ringed(err)
			}
			got = append(got, n)
		}
		return told(got, nil)
	})
	// Gets numbers to the end, of one publisher that counts from 1, and says how many those
	// are that it got and that it missed.
	_ = actor.Verb("broadcast.count", func(e *actor.Env, args []string) string { // as
		s := Subscriber(e, args)
		for last := int64(0); ; {
			n, missed, err := s.next(e.Ctx)
			switch last += int64(missed); {
			case errors.Is(err, io.EOF):
				return fmt.Sprint(last)
			case err != nil:
				return Ringed(err)
			}
			if last++; n != last {
				return fmt.Sprintf("%d after %d missed, not %d", n, missed, last)
			}
		}
	})

	// Publishes what cannot be encoded.
	_ = actor.Verb("broadcast.publishloop", func(e *actor.Env, args []string) string {
		r := record{}
		r.Next = &r
		return Ringed(Broadcast(e, args[0]).(newsOf[record]).Publish(e.Ctx, r))
	})
	// Publishes so many bytes.
	_ = actor.Verb("broadcast.publishbytes", func(e *actor.Env, args []string) string {
		return Ringed(Broadcast(e, args[0]).(newsOf[[]byte]).Publish(e.Ctx, make([]byte, numbers(args[1:])[0])))
	})

	_ = actor.Verb("broadcast.marshal", func(e *actor.Env, args []string) string { // the handle
		return hex.EncodeToString(actor.Opened(Broadcast(e, args[0]).MarshalBinary()))
	})
	// From now on args[0], of plain numbers, is what the handle in args[1] was on.
	_ = actor.Verb("broadcast.unmarshal", func(e *actor.Env, args []string) string {
		b := actor.Opened(hex.DecodeString(args[1]))
		actor.Handle(e, args[0], func() (News, error) {
			n := new(ring.Broadcast[int64])
			return newsOf[int64]{n, plainForm}, n.UnmarshalBinary(b)
		})
		return "ok"
	})
)
