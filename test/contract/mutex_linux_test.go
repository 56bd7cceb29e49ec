package contract_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
	"example.com/tandem/proc"
	"example.com/tandem/sync"
)

// With, whose function adds one to a counter in a way that loses some if two
// do it at once.
var _ = actor.Verb("mutex.with", func(e *actor.Env, args []string) string { // counter, how the function ends
	v := verbs.Number(e, args[1])
	var err error
	func() {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		err = sync.With(e.Ctx, verbs.Mutex(e, args[0]), func() error {
			n := v.Load()
			runtime.Gosched()
			v.Store(n + 1)
			if ok, err := verbs.Mutex(e, args[0]).TryLock(); ok || err != nil {
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
	return actor.Outcome(err)
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

var _ = actor.Verb("mutex.tryInChild", func(e *actor.Env, args []string) string { // as mutex.try, and unlock
	var out strings.Builder
	p := actor.Opened(trying.Start(e.Ctx, verbs.Mutex(e, args[0]), &proc.Options{Stdout: &out}))
	if err := p.Wait(e.Ctx); err != nil {
		return actor.Outcome(err)
	}
	return out.String()
})
