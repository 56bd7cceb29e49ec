package verbs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
)

// Waitable is the actor's object of a name, whose first letter says of which kind it is: of
// a pipe it is the right end, of a broadcast a subscriber, and a process is one of its own.
func Waitable(e *actor.Env, name string) shm.Waitable {
	switch name[0] {
	case 'e':
		return Event(e, name)
	case 's':
		return Semaphore(e, name).(shm.Waitable)
	case 'q':
		return Queue(e, name)
	case 'r':
		return SPSC(e, name)
	case 'p':
		return Conn(e, name+" right")
	case 'n':
		return Subscriber(e, []string{name, "own"})
	case 'x':
		return process(e, name)
	}
	actor.Fail(fmt.Errorf("no kind for the name %q", name))
	return nil
}

// idle is a process that does nothing, until it is to end.
var idle = proc.Register("actor idle", func(ctx context.Context, _ struct{}) error {
	<-ctx.Done()
	return nil
})

func process(e *actor.Env, name string) *proc.Process {
	return actor.Handle(e, name, func() (*proc.Process, error) { return nil, errors.New("no process") })
}

var (
	// Waits for objects, for so long if the last argument is a time, and says which is
	// ready, by its name.
	_ = actor.Verb("any.wait", func(e *actor.Env, args []string) string { // names, [timeout]
		names, timeout := args, len(args)
		if _, err := time.ParseDuration(args[len(args)-1]); err == nil {
			timeout--
			names = args[:timeout]
		}
		var ws []shm.Waitable
		for _, name := range names {
			ws = append(ws, Waitable(e, name))
		}
		ctx, cancel := e.Within(args, timeout)
		defer cancel()
		i, err := shm.WaitAny(ctx, ws...)
		if err != nil {
			return actor.Outcome(err)
		}
		return names[i]
	})
	// Starts a process that is the actor's child, by a name.
	_ = actor.Verb("process.start", func(e *actor.Env, args []string) string {
		p, err := idle.Start(context.Background(), struct{}{}, nil)
		if err == nil {
			actor.Handle(e, args[0], func() (*proc.Process, error) { return p, nil })
		}
		return actor.Outcome(err)
	})
	// Has it end, and does not wait for that.
	_ = actor.Verb("process.end", func(e *actor.Env, args []string) string { // killed, or told
		p := process(e, args[0])
		if args[1] == "killed" {
			return actor.Outcome(p.Kill())
		}
		return actor.Outcome(p.Terminate())
	})
)
