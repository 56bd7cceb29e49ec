package contract_test

import (
	"fmt"

	"example.com/tandem/sync"
)

var _ = sentinel("owner died", sync.ErrOwnerDied)
var _ = sentinel("not owner", sync.ErrNotOwner)
var _ = sentinel("not locked", sync.ErrNotLocked)

// mutex is the actor's mutex of a name.
func (e *env) mutex(name string) *sync.Mutex {
	return e.handle(name, func() any { return opened(sync.OpenMutex(e.region, name)) }).(*sync.Mutex)
}

var _ = verb("mutex.lock", func(e *env, args []string) string { // [timeout]
	ctx, cancel := e.within(args, 1)
	defer cancel()
	return outcome(e.mutex(args[0]).Lock(ctx))
})

var _ = verb("mutex.try", func(e *env, args []string) string { // "true", or "false", or an error
	ok, err := e.mutex(args[0]).TryLock()
	if err != nil {
		return outcome(err)
	}
	return fmt.Sprint(ok)
})

var _ = verb("mutex.unlock", func(e *env, args []string) string {
	return outcome(e.mutex(args[0]).Unlock())
})

var _ = verb("mutex.recover", func(e *env, args []string) string { // "suspect", or "sound", or an error
	ctx, cancel := e.within(args, 1)
	defer cancel()
	switch suspect, err := e.mutex(args[0]).Recover(ctx); {
	case err != nil:
		return outcome(err)
	case suspect:
		return "suspect"
	}
	return "sound"
})

var _ = verb("mutex.mark", func(e *env, args []string) string {
	return outcome(e.mutex(args[0]).MarkConsistent())
})

var _ = verb("mutex.owner", func(e *env, args []string) string { // its pid, or "none"
	p, ok := e.mutex(args[0]).Owner()
	if !ok {
		return "none"
	}
	return fmt.Sprint(p.PID)
})
