package verbs

import (
	"fmt"
	"strconv"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/sync"
)

// A Claim is a Cond and a lock of its, to lock and unlock: each caller's own,
// if it is a holder.
type Claim struct {
	Cond *sync.Cond
	Lock sync.Lock
}

// NewClaim opens the Cond name with a lock of a kind, and makes a new claim:
// "own" is its own lock, "mutex" and "holder" are of the lock name.lock.
func NewClaim(e *actor.Env, name, kind string) Claim {
	switch kind {
	case "own":
		c := actor.Opened(sync.OpenCond(e.Region, name, nil))
		return Claim{c, c.Holder()}
	case "mutex":
		m := actor.Opened(sync.OpenMutex(e.Region, name+".lock"))
		return Claim{actor.Opened(sync.OpenCond(e.Region, name, m)), m}
	case "holder":
		h := actor.Opened(sync.OpenRMutex(e.Region, name+".lock")).NewHolder()
		return Claim{actor.Opened(sync.OpenCond(e.Region, name, h)), h}
	}
	actor.Fail(fmt.Errorf("no lock of kind %q", kind))
	return Claim{}
}

// ClaimOn is the actor's one claim on a Cond: args are its name and its lock's
// kind.
func ClaimOn(e *actor.Env, args []string) Claim {
	return actor.Handle(e, args[0]+" "+args[1], func() (Claim, error) { return NewClaim(e, args[0], args[1]), nil })
}

// The first two arguments of each verb are the Cond's name and its lock's kind.

var _ = actor.Verb("cond.lock", func(e *actor.Env, args []string) string { // [timeout]
	ctx, cancel := e.Within(args, 2)
	defer cancel()
	return actor.Outcome(ClaimOn(e, args).Lock.Lock(ctx))
})

var _ = actor.Verb("cond.unlock", func(e *actor.Env, args []string) string { return actor.Outcome(ClaimOn(e, args).Lock.Unlock()) })

var _ = actor.Verb("cond.depth", func(e *actor.Env, args []string) string {
	return fmt.Sprint(ClaimOn(e, args).Lock.(*sync.Holder).Depth())
})

// cond.wait leaves the lock as it was: held, if it was.
var _ = actor.Verb("cond.wait", func(e *actor.Env, args []string) string { // [timeout]
	ctx, cancel := e.Within(args, 2)
	defer cancel()
	return actor.Outcome(ClaimOn(e, args).Cond.Wait(ctx))
})

// cond.notify is for the holder of the lock.
var _ = actor.Verb("cond.notify", func(e *actor.Env, args []string) string { // n
	n, err := strconv.Atoi(args[2])
	if err == nil {
		err = ClaimOn(e, args).Cond.Notify(n)
	}
	return actor.Outcome(err)
})

var _ = actor.Verb("cond.notifyall", func(e *actor.Env, args []string) string { return actor.Outcome(ClaimOn(e, args).Cond.NotifyAll()) })

var _ = actor.Verb("cond.repair", func(e *actor.Env, args []string) string { // by the holder of the lock
	return actor.Outcome(ClaimOn(e, args).Lock.(interface{ MarkConsistent() error }).MarkConsistent())
})
