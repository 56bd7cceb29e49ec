package verbs

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/ring"
)

// SPSC is the actor's SPSC of a name, of two messages; of eight, if the name begins with
// "eight".
func SPSC(e *actor.Env, name string) *ring.SPSC[int64] {
	o := &ring.SPSCOptions{Capacity: 2}
	if strings.HasPrefix(name, "eight") {
		o.Capacity = 8
	}
	return actor.Handle(e, name, func() (*ring.SPSC[int64], error) { return ring.OpenSPSC[int64](e.Region, name, o) })
}

// Ringed is actor.Outcome, of what ring's calls may say.
func Ringed(err error) string {
	for is, text := range map[error]string{syscall.EPIPE: "broken pipe", ring.ErrDirection: "direction", ring.ErrTooLarge: "too large", ring.ErrFull: "full", ring.ErrEmpty: "empty", ring.ErrBusy: "busy", ring.ErrShutdown: "shut down", ring.ErrOverDone: "over done", ring.ErrCodec: "codec", io.EOF: "eof"} {
		if errors.Is(err, is) {
			return text
		}
	}
	return actor.Outcome(err)
}

// numbers are those of a call's arguments.
func numbers(args []string) (ns []int64) {
	for _, a := range args {
		n, err := strconv.ParseInt(a, 10, 64)
		if err != nil {
			actor.Fail(err)
		}
		ns = append(ns, n)
	}
	return ns
}

// told is what a Get got, or why it did not.
func told(ns []int64, err error) string {
	if err != nil {
		return Ringed(err)
	}
	return strings.Trim(fmt.Sprint(ns), "[]")
}

func one(n int64, err error) ([]int64, error) { return []int64{n}, err }

var (
	_ = actor.Verb("spsc.put", func(e *actor.Env, args []string) string { // number
		return Ringed(SPSC(e, args[0]).Put(e.Ctx, numbers(args[1:])[0]))
	})
	_ = actor.Verb("spsc.tryput", func(e *actor.Env, args []string) string { // number
		return Ringed(SPSC(e, args[0]).TryPut(numbers(args[1:])[0]))
	})
	_ = actor.Verb("spsc.putbatch", func(e *actor.Env, args []string) string { // numbers
		n, err := SPSC(e, args[0]).PutBatch(e.Ctx, numbers(args[1:]))
		if err != nil {
			return Ringed(err)
		}
		return fmt.Sprint(n)
	})
	_ = actor.Verb("spsc.get", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return told(one(SPSC(e, args[0]).Get(ctx)))
	})
	_ = actor.Verb("spsc.tryget", func(e *actor.Env, args []string) string { return told(one(SPSC(e, args[0]).TryGet())) })
	_ = actor.Verb("spsc.getbatch", func(e *actor.Env, args []string) string { // most
		vs := make([]int64, numbers(args[1:])[0])
		n, err := SPSC(e, args[0]).GetBatch(e.Ctx, vs)
		return told(vs[:n], err)
	})
	_ = actor.Verb("spsc.shutdown", func(e *actor.Env, args []string) string { return actor.Outcome(SPSC(e, args[0]).Shutdown()) })
	_ = actor.Verb("spsc.len", func(e *actor.Env, args []string) string { return fmt.Sprint(SPSC(e, args[0]).Len()) })

	// Puts numbers from the first to the last, and waits where it must.
	_ = actor.Verb("spsc.putall", func(e *actor.Env, args []string) string { return putAll(e, args, func(int64) {}) })
	// So it does, and says each number whose Put has returned.
	_ = actor.Verb("spsc.putsaying", func(e *actor.Env, args []string) string {
		return putAll(e, args, func(n int64) { e.Say(fmt.Sprint(n)) })
	})
	// Gets numbers to the end, which are to be those from the first to the last.
	_ = actor.Verb("spsc.getall", func(e *actor.Env, args []string) string {
		s, ns := SPSC(e, args[0]), numbers(args[1:])
		for due := ns[0]; ; due++ {
			n, err := s.Get(e.Ctx)
			switch {
			case errors.Is(err, io.EOF) && due == ns[1]+1:
				return "ok"
			case err != nil:
				return fmt.Sprintf("%s at %d", Ringed(err), due)
			case n != due:
				return fmt.Sprintf("%d, not %d", n, due)
			}
		}
	})
)

func putAll(e *actor.Env, args []string, put func(n int64)) string {
	s, ns := SPSC(e, args[0]), numbers(args[1:])
	for n := ns[0]; n <= ns[1]; n++ {
		if err := s.Put(e.Ctx, n); err != nil {
			return Ringed(err)
		}
		put(n)
	}
	return "ok"
}

func init() { travels("spsc", SPSC) }
