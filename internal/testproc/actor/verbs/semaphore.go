package verbs

import (
	"context"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

var _ = actor.Sentinel("over release", sync.ErrOverRelease)

// Number is a number of a name that all actors see.
func Number(e *actor.Env, name string) *atomics.Value[int64] {
	return actor.Handle(e, "number "+name, func() (*atomics.Value[int64], error) { return atomics.OpenValue(e.Region, name, int64(0)) })
}

// Refusal is actor.Outcome, of what may be refused for its arguments:
// "invalid", or "mismatch".
func Refusal(err error) string {
	switch {
	case errors.Is(err, fs.ErrInvalid):
		return "invalid"
	case errors.Is(err, shm.ErrMismatch):
		return "mismatch"
	}
	return actor.Outcome(err)
}

// Permits are what semaphores of both kinds can do.
type Permits interface {
	Acquire(context.Context) error
	TryAcquire() (bool, error)
	Release(int) error
	Value() int
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// Semaphore is the actor's semaphore of a name, which is there. It is a bounded
// one if its name begins with "bounded".
func Semaphore(e *actor.Env, name string) Permits {
	return actor.Handle(e, name, func() (Permits, error) {
		if bounded(name) {
			return sync.OpenBoundedSemaphore(e.Region, name, -1)
		}
		return sync.OpenSemaphore(e.Region, name, -1)
	})
}

var (
	_ = actor.Verb("semaphore.open", func(e *actor.Env, args []string) string { // initial
		initial, err := strconv.Atoi(args[1])
		if err != nil {
			return err.Error()
		}
		if bounded(args[0]) {
			_, err = sync.OpenBoundedSemaphore(e.Region, args[0], initial)
		} else {
			_, err = sync.OpenSemaphore(e.Region, args[0], initial)
		}
		return Refusal(err)
	})
	_ = actor.Verb("semaphore.acquire", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return actor.Outcome(Semaphore(e, args[0]).Acquire(ctx))
	})
	_ = actor.Verb("semaphore.try", func(e *actor.Env, args []string) string { // "true", or "false"
		return attempt(Semaphore(e, args[0]).TryAcquire())
	})
	_ = actor.Verb("semaphore.release", func(e *actor.Env, args []string) string { // n
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err.Error()
		}
		return Refusal(Semaphore(e, args[0]).Release(n))
	})
	_ = actor.Verb("semaphore.value", func(e *actor.Env, args []string) string {
		return fmt.Sprint(Semaphore(e, args[0]).Value())
	})
	// From now on args[0] is what the handle in args[1] was on.
	_ = actor.Verb("semaphore.unmarshal", func(e *actor.Env, args []string) string {
		b := actor.Opened(hex.DecodeString(args[1]))
		actor.Handle(e, args[0], func() (Permits, error) {
			s := Permits(new(sync.Semaphore))
			if bounded(args[0]) {
				s = new(sync.BoundedSemaphore)
			}
			return s, s.UnmarshalBinary(b)
		})
		return "ok"
	})
)

func bounded(name string) bool { return strings.HasPrefix(name, "bounded") }
