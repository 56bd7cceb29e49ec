package contract_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"example.com/tandem/atomics"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

var _ = sentinel("broken", sync.ErrBroken)

var errAction = errors.New("the action failed")

var _ = sentinel("action failed", errAction)

// barrier is the actor's barrier of a name, which has been opened.
func (e *env) barrier(name string) *sync.Barrier {
	return e.handle(name, func() any { return opened(sync.OpenBarrier(e.region, name, 0, nil)) }).(*sync.Barrier)
}

// number is one that all actors see.
func (e *env) number(name string) *atomics.Value[int64] {
	return e.handle(name, func() any { return opened(atomics.OpenValue(e.region, name, int64(0))) }).(*atomics.Value[int64])
}

// An action adds one to the number "acts", and may fail.
var _ = verb("barrier.open", func(e *env, args []string) string { // parties [action: "ok", "fail", "panic"]
	parties, err := strconv.Atoi(args[1])
	if err != nil {
		return err.Error()
	}
	var o *sync.BarrierOptions
	if len(args) > 2 {
		acts, what := e.number("acts"), args[2]
		o = &sync.BarrierOptions{Action: func() error {
			atomics.Add(acts, 1)
			switch what {
			case "fail":
				return errAction
			case "panic":
				panic(errAction)
			}
			return nil
		}}
	}
	b, err := sync.OpenBarrier(e.region, args[0], parties, o)
	switch {
	case errors.Is(err, fs.ErrInvalid):
		return "invalid"
	case errors.Is(err, shm.ErrMismatch):
		return "mismatch"
	case err == nil:
		e.handle(args[0], func() any { return b })
	}
	return outcome(err)
})

var _ = verb("barrier.wait", func(e *env, args []string) (answer string) { // [timeout]: the index, or an error
	b := e.barrier(args[0])
	ctx, cancel := e.within(args, 1)
	defer cancel()
	defer func() {
		if p := recover(); p == errAction {
			answer = "panic"
		} else if p != nil {
			panic(p)
		}
	}()
	i, err := b.Wait(ctx)
	if err != nil {
		return outcome(err)
	}
	return strconv.Itoa(i)
})

// How many actions there were when Wait returned.
var _ = verb("barrier.acts", func(e *env, args []string) string {
	_, err := e.barrier(args[0]).Wait(e.ctx)
	if n := e.number("acts").Load(); err == nil {
		return fmt.Sprint(n)
	}
	return outcome(err)
})

var _ = verb("barrier.abort", func(e *env, args []string) string { return outcome(e.barrier(args[0]).Abort()) })
var _ = verb("barrier.reset", func(e *env, args []string) string { return outcome(e.barrier(args[0]).Reset()) })

var _ = verb("barrier.state", func(e *env, args []string) string { // "2/3", "0/3 broken"
	b := e.barrier(args[0])
	s := fmt.Sprintf("%d/%d", b.Waiting(), b.Parties())
	if b.Broken() {
		s += " broken"
	}
	return s
})

// So many rounds in step: as party me it says in at[me] which round it is in,
// and after a Wait everybody is in that round, or has said so of the next. In
// came[] each index of a round is found to have been had in the last, not yet
// in this one: all have another.
var _ = verb("barrier.rounds", func(e *env, args []string) string { // me from to
	b := e.barrier(args[0])
	n := b.Parties()
	at := opened(atomics.OpenArray[int64](e.region, "at", n))
	came := opened(atomics.OpenArray[int64](e.region, "came", n))
	me, _ := strconv.Atoi(args[1])
	from, _ := strconv.ParseInt(args[2], 10, 64)
	to, _ := strconv.ParseInt(args[3], 10, 64)
	for r := from; r < to; r++ {
		at.Store(me, r)
		i, err := b.Wait(e.ctx)
		if err != nil {
			return fmt.Sprintf("round %d: %v", r, err)
		}
		for p := range n {
			if x := at.Load(p); x != r && x != r+1 {
				return fmt.Sprintf("party %d is in round %d, and party %d in round %d", me, r, p, x)
			}
		}
		if last := came.Swap(i, r); last != r-1 {
			return fmt.Sprintf("in round %d party %d came as %d, as did one in round %d last", r, me, i, last)
		}
	}
	return "ok"
})

// Waits as long as the number "tickets" says that there are more to do, and
// counts as which it came.
var _ = verb("barrier.tickets", func(e *env, args []string) string { // how many tickets there are for all
	b, tickets := e.barrier(args[0]), e.number("tickets")
	came := opened(atomics.OpenArray[int64](e.region, "came", b.Parties()))
	all, _ := strconv.ParseInt(args[1], 10, 64)
	for atomics.Add(tickets, 1) <= all {
		i, err := b.Wait(e.ctx)
		if err != nil {
			return outcome(err)
		}
		atomics.AddAt(came, i, 1)
	}
	return "ok"
})

var _ = verb("barrier.came", func(e *env, args []string) string { // parties: how often somebody came as which
	n, _ := strconv.Atoi(args[1])
	came := opened(atomics.OpenArray[int64](e.region, "came", n))
	counts := make([]int64, n)
	came.CopyTo(counts)
	return fmt.Sprint(counts)
})
