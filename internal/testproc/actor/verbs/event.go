package verbs

import (
	"fmt"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/sync"
)

// Event is the actor's event of a name.
func Event(e *actor.Env, name string) *sync.Event {
	return actor.Handle(e, name, func() (*sync.Event, error) { return sync.OpenEvent(e.Region, name) })
}

var (
	_ = actor.Verb("event.set", func(e *actor.Env, args []string) string { return actor.Outcome(Event(e, args[0]).Set()) })
	_ = actor.Verb("event.clear", func(e *actor.Env, args []string) string { return actor.Outcome(Event(e, args[0]).Clear()) })
	_ = actor.Verb("event.isset", func(e *actor.Env, args []string) string { return fmt.Sprint(Event(e, args[0]).IsSet()) })
	_ = actor.Verb("event.pulse", func(e *actor.Env, args []string) string { // set, and clear at once
		ev := Event(e, args[0])
		if err := ev.Set(); err != nil {
			return actor.Outcome(err)
		}
		return actor.Outcome(ev.Clear())
	})
	_ = actor.Verb("event.wait", func(e *actor.Env, args []string) string { // [timeout]
		ev := Event(e, args[0])
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return actor.Outcome(ev.Wait(ctx))
	})
)

func init() { travels("event", Event) }
