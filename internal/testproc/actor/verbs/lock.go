package verbs

import (
	"context"
	"fmt"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

var (
	_ = actor.Sentinel("owner died", sync.ErrOwnerDied)
	_ = actor.Sentinel("not owner", sync.ErrNotOwner)
	_ = actor.Sentinel("not locked", sync.ErrNotLocked)
)

// Mutex is the actor's mutex of a name.
func Mutex(e *actor.Env, name string) *sync.Mutex {
	return actor.Handle(e, name, func() (*sync.Mutex, error) { return sync.OpenMutex(e.Region, name) })
}

// RWMutex is the actor's RWMutex of a name.
func RWMutex(e *actor.Env, name string) *sync.RWMutex {
	return actor.Handle(e, name, func() (*sync.RWMutex, error) { return sync.OpenRWMutex(e.Region, name) })
}

// RMutex is the actor's reentrant mutex of a name.
func RMutex(e *actor.Env, name string) *sync.RMutex {
	return actor.Handle(e, name, func() (*sync.RMutex, error) { return sync.OpenRMutex(e.Region, name) })
}

// Holder is the actor's one holder of its reentrant mutex of a name.
func Holder(e *actor.Env, name string) *sync.Holder {
	m := RMutex(e, name)
	return actor.Handle(e, "holder of "+name, func() (*sync.Holder, error) { return m.NewHolder(), nil })
}

// A lock has a holder whose death is told.
type lock interface {
	Lock(context.Context) error
	TryLock() (bool, error)
	Recover(context.Context) (bool, error)
	MarkConsistent() error
	Unlock() error
}

// locks names what all locks can do: the verbs of a kind of them.
func locks(kind string, of func(e *actor.Env, name string) lock, owner func(e *actor.Env, name string) (shm.Participant, bool)) {
	actor.Verb(kind+".lock", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return actor.Outcome(of(e, args[0]).Lock(ctx))
	})
	actor.Verb(kind+".try", func(e *actor.Env, args []string) string { // "true", or "false"; what is locked stays so
		return attempt(of(e, args[0]).TryLock())
	})
	actor.Verb(kind+".unlock", func(e *actor.Env, args []string) string {
		return actor.Outcome(of(e, args[0]).Unlock())
	})
	actor.Verb(kind+".recover", func(e *actor.Env, args []string) string { // [timeout]: "suspect", or "sound"
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		switch suspect, err := of(e, args[0]).Recover(ctx); {
		case err != nil && suspect:
			return "suspect, and " + actor.Outcome(err)
		case err != nil:
			return actor.Outcome(err)
		case suspect:
			return "suspect"
		}
		return "sound"
	})
	actor.Verb(kind+".mark", func(e *actor.Env, args []string) string {
		return actor.Outcome(of(e, args[0]).MarkConsistent())
	})
	actor.Verb(kind+".owner", func(e *actor.Env, args []string) string { // its pid, or "none"
		p, ok := owner(e, args[0])
		if !ok {
			return "none"
		}
		return fmt.Sprint(p.PID)
	})
}

// attempt is "true" or "false", or the error's outcome, with which ok is false.
func attempt(ok bool, err error) string {
	if err != nil && ok {
		return "true, and " + actor.Outcome(err)
	}
	if err != nil {
		return actor.Outcome(err)
	}
	return fmt.Sprint(ok)
}

func init() {
	locks("mutex", func(e *actor.Env, name string) lock { return Mutex(e, name) },
		func(e *actor.Env, name string) (shm.Participant, bool) { return Mutex(e, name).Owner() })
	locks("rwmutex", func(e *actor.Env, name string) lock { return RWMutex(e, name) },
		func(e *actor.Env, name string) (shm.Participant, bool) { return RWMutex(e, name).Owner() })
	locks("rmutex", func(e *actor.Env, name string) lock { return Holder(e, name) },
		func(e *actor.Env, name string) (shm.Participant, bool) { return RMutex(e, name).Owner() })
	travels("mutex", Mutex)
	travels("rwmutex", RWMutex)
}

// Readers.
var (
	_ = actor.Verb("rwmutex.rlock", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return actor.Outcome(RWMutex(e, args[0]).RLock(ctx))
	})
	_ = actor.Verb("rwmutex.tryr", func(e *actor.Env, args []string) string { // "true", or "false"
		return attempt(RWMutex(e, args[0]).TryRLock())
	})
	_ = actor.Verb("rwmutex.runlock", func(e *actor.Env, args []string) string {
		return actor.Outcome(RWMutex(e, args[0]).RUnlock())
	})
)

var _ = actor.Verb("rmutex.depth", func(e *actor.Env, args []string) string {
	return fmt.Sprint(Holder(e, args[0]).Depth())
})
