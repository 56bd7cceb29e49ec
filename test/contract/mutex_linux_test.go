package contract_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"example.com/tandem/proc"
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

// With, whose function adds one to a counter in a way that loses some if two
// do it at once.
var _ = verb("mutex.with", func(e *env, args []string) string { // counter, how the function ends
	v := e.value(args[1])
	var err error
	func() {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		err = sync.With(e.ctx, e.mutex(args[0]), func() error {
			n := v.Load()
			runtime.Gosched()
			v.Store(n + 1)
			if ok, err := e.mutex(args[0]).TryLock(); ok || err != nil {
				return fmt.Errorf("TryLock in With's function = %v, %v", ok, err)
			}
			switch args[2] {
			case "error":
				return errors.New("boom")
			case "panic":
				panic("boom")
			}
			return nil
		})
	}()
	return outcome(err)
})

var _ = verb("mutex.marshal", func(e *env, args []string) string {
	return hex.EncodeToString(opened(e.mutex(args[0]).MarshalBinary()))
})

// From now on args[0] is the mutex that the handle in args[1] was on.
var _ = verb("mutex.unmarshal", func(e *env, args []string) string {
	b := opened(hex.DecodeString(args[1]))
	e.handle(args[0], func() any {
		m := new(sync.Mutex)
		opened(0, m.UnmarshalBinary(b))
		return m
	})
	return "ok"
})

// trying is a child of an actor, which is given a handle.
var trying = proc.Register("trying", func(ctx context.Context, m *sync.Mutex) error {
	ok, err := m.TryLock()
	if ok {
		err = m.Unlock()
	}
	if err != nil {
		return err
	}
	_, err = fmt.Print(ok)
	return err
})

var _ = verb("mutex.tryInChild", func(e *env, args []string) string { // as mutex.try, and unlock
	var out strings.Builder
	p := opened(trying.Start(e.ctx, e.mutex(args[0]), &proc.Options{Stdout: &out}))
	if err := p.Wait(e.ctx); err != nil {
		return outcome(err)
	}
	return out.String()
})
