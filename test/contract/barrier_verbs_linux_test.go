package contract_test

import (
	"fmt"
	"strconv"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
)

// How many actions there were when Wait returned.
var _ = actor.Verb("barrier.acts", func(e *actor.Env, args []string) string {
	_, err := verbs.Barrier(e, args[0]).Wait(e.Ctx)
	if n := verbs.Number(e, "acts").Load(); err == nil {
		return fmt.Sprint(n)
	}
	return actor.Outcome(err)
})

// So many rounds in step: as party me it says in at[me] which round it is in,
// and after a Wait everybody is in that round, or has said so of the next. In
// came[] each index of a round is found to have been had in the last, not yet
// in this one: all have another.
var _ = actor.Verb("barrier.rounds", func(e *actor.Env, args []string) string { // me from to
	b := verbs.Barrier(e, args[0])
	n := b.Parties()
	at := actor.Opened(atomics.OpenArray[int64](e.Region, "at", n))
	came := actor.Opened(atomics.OpenArray[int64](e.Region, "came", n))
	me, _ := strconv.Atoi(args[1])
	from, _ := strconv.ParseInt(args[2], 10, 64)
	to, _ := strconv.ParseInt(args[3], 10, 64)
	for r := from; r < to; r++ {
		at.Store(me, r)
		i, err := b.Wait(e.Ctx)
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
var _ = actor.Verb("barrier.tickets", func(e *actor.Env, args []string) string { // how many tickets there are for all
	b, tickets := verbs.Barrier(e, args[0]), verbs.Number(e, "tickets")
	came := actor.Opened(atomics.OpenArray[int64](e.Region, "came", b.Parties()))
	all, _ := strconv.ParseInt(args[1], 10, 64)
	for atomics.Add(tickets, 1) <= all {
		i, err := b.Wait(e.Ctx)
		if err != nil {
			return actor.Outcome(err)
		}
		atomics.AddAt(came, i, 1)
	}
	return "ok"
})

var _ = actor.Verb("barrier.came", func(e *actor.Env, args []string) string { // parties: how often somebody came as which
	n, _ := strconv.Atoi(args[1])
	came := actor.Opened(atomics.OpenArray[int64](e.Region, "came", n))
	counts := make([]int64, n)
	came.CopyTo(counts)
	return fmt.Sprint(counts)
})
