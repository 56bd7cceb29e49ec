package verbs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/ring"
)

const (
	textSlots  = 8
	textMost   = 1 << 20
	textBuffer = 2 * textMost
)

// Text is the actor's queue of a name, of eight messages of up to a megabyte, two megabytes
// together.
func Text(e *actor.Env, name string) *ring.Queue[[]byte] {
	return actor.Handle(e, name, func() (*ring.Queue[[]byte], error) {
		return ring.OpenQueue[[]byte](e.Region, name, &ring.QueueOptions{Capacity: textSlots, Buffer: textBuffer, MaxMessage: textMost})
	})
}

// texted is what a text stands for: "#1000" for so many bytes, "nil" for none, and else itself.
func texted(s string) []byte {
	if n, long := strings.CutPrefix(s, "#"); long {
		return counted(0, int(numbers([]string{n})[0]))
	}
	if s == "nil" {
		return nil
	}
	return []byte(s)
}

// whole is how a message is told: as it was put.
func whole(b []byte, err error) string {
	switch {
	case err != nil:
		return Ringed(err)
	case len(b) <= 100:
		return strconv.Quote(string(b))
	case string(b) != string(counted(0, len(b))):
		return "torn"
	}
	return fmt.Sprint("#", len(b))
}

func loanOf(e *actor.Env, args []string) ring.Loan[[]byte] {
	return actor.Handle(e, "loan "+args[1], func() (ring.Loan[[]byte], error) { return ring.Loan[[]byte]{}, errors.New("no loan") })
}

var (
	_ = actor.Verb("text.put", func(e *actor.Env, args []string) string { // text, [timeout]
		ctx, cancel := e.Within(args, 2)
		defer cancel()
		return Ringed(Text(e, args[0]).Put(ctx, texted(args[1])))
	})
	_ = actor.Verb("text.tryput", func(e *actor.Env, args []string) string { // text
		return Ringed(Text(e, args[0]).TryPut(texted(args[1])))
	})
	_ = actor.Verb("text.get", func(e *actor.Env, args []string) string { return whole(Text(e, args[0]).Get(e.Ctx)) })
	_ = actor.Verb("text.tryget", func(e *actor.Env, args []string) string { return whole(Text(e, args[0]).TryGet()) })
	_ = actor.Verb("text.len", func(e *actor.Env, args []string) string { return fmt.Sprint(Text(e, args[0]).Len()) })

	// A loan of so many bytes, by a name, and what becomes of it.
	_ = actor.Verb("text.loan", func(e *actor.Env, args []string) string { // as, how many, [timeout]
		ctx, cancel := e.Within(args, 3)
		defer cancel()
		l, err := Text(e, args[0]).Loan(ctx, int(numbers(args[2:3])[0]))
		if err == nil {
			actor.Handle(e, "loan "+args[1], func() (ring.Loan[[]byte], error) { return l, nil })
		}
		return Ringed(err)
	})
	_ = actor.Verb("text.putloan", func(e *actor.Env, args []string) string { // as, text
		l := loanOf(e, args)
		return Ringed(l.Put(e.Ctx, copy(l.Bytes(), texted(args[2]))))
	})

	// Puts the same again and again, until it cannot.
	_ = actor.Verb("text.flood", func(e *actor.Env, args []string) string { // text
		for v := texted(args[1]); ; {
			if err := Text(e, args[0]).Put(e.Ctx, v); err != nil {
				return Ringed(err)
			}
		}
	})
)
