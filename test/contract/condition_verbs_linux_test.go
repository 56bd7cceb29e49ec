package contract_test

import (
	"errors"
	"fmt"
	"strconv"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
	"example.com/tandem/sync"
)

// level is a number that the Cond's lock guards.
func level(e *actor.Env, name string) *atomics.Value[int64] { return verbs.Number(e, name+".level") }

// The first two arguments of each verb are the Cond's name and its lock's kind.

// cond.waiter locks, waits and unlocks, with a claim of its own.
var _ = actor.Verb("cond.waiter", func(e *actor.Env, args []string) string { // [timeout]
	c := verbs.NewClaim(e, args[0], args[1])
	if err := c.Lock.Lock(e.Ctx); err != nil {
		return actor.Outcome(err)
	}
	ctx, cancel := e.Within(args, 2)
	defer cancel()
	err := c.Cond.Wait(ctx)
	if e := c.Lock.Unlock(); e != nil {
		err = errors.Join(err, fmt.Errorf("it did not hold the lock: %w", e))
	}
	return actor.Outcome(err)
})

// cond.waitfor is cond.waiter, for a level; it says how often pred was called.
var _ = actor.Verb("cond.waitfor", func(e *actor.Env, args []string) string { // level [timeout]
	c, n := verbs.NewClaim(e, args[0], args[1]), level(e, args[0])
	want, err := strconv.ParseInt(args[2], 10, 64)
	if err == nil {
		err = c.Lock.Lock(e.Ctx)
	}
	if err != nil {
		return actor.Outcome(err)
	}
	ctx, cancel := e.Within(args, 3)
	defer cancel()
	calls := 0
	err = c.Cond.WaitFor(ctx, func() bool {
		calls++
		if ok, _ := verbs.ClaimOn(e, args).Lock.(*sync.Holder).TryLock(); ok {
			actor.Fail(errors.New("pred is called without the lock"))
		}
		return n.Load() >= want
	})
	if e := c.Lock.Unlock(); e != nil {
		err = errors.Join(err, fmt.Errorf("it did not hold the lock: %w", e))
	}
	return fmt.Sprint(actor.Outcome(err), " ", calls)
})

// cond.raise sets the level and notifies all.
var _ = actor.Verb("cond.raise", func(e *actor.Env, args []string) string { // level
	c := verbs.NewClaim(e, args[0], args[1])
	n, err := strconv.ParseInt(args[2], 10, 64)
	if err == nil {
		err = sync.With(e.Ctx, c.Lock, func() error {
			level(e, args[0]).Store(n)
			return c.Cond.NotifyAll()
		})
	}
	return actor.Outcome(err)
})

// cond.tell locks and unlocks, cond.notify is for who holds the lock.
var _ = actor.Verb("cond.tell", func(e *actor.Env, args []string) string { // n, or "all"
	c := verbs.NewClaim(e, args[0], args[1])
	return actor.Outcome(sync.With(e.Ctx, c.Lock, func() error {
		if args[2] == "all" {
			return c.Cond.NotifyAll()
		}
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return c.Cond.Notify(n)
	}))
})

// counts is how many wait on a Cond, and how many of them are notified.
func (w *world) counts(name string) (waiting, notified int) {
	w.T.Helper()
	s, err := w.Region.Snapshot()
	if err != nil {
		w.T.Fatal(err)
	}
	for _, o := range s.Objects {
		if o.Name != name {
			continue
		}
		waiting = o.Len
		for _, h := range o.Holders {
			if h.What == "notified" {
				notified += h.N
			}
		}
	}
	return waiting, notified
}

// waitOn waits until n wait on a Cond and none of them is notified.
func (w *world) waitOn(name string, n int) {
	w.T.Helper()
	w.Until(fmt.Sprintf("%d wait on %s", n, name), func() bool {
		waiting, notified := w.counts(name)
		return waiting == n && notified == 0
	})
}
