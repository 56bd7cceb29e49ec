package verbs

import (
	"fmt"
	"time"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Queue is the actor's queue of a name, of four numbers.
func Queue(e *actor.Env, name string) *ring.Queue[int64] {
	return actor.Handle(e, name, func() (*ring.Queue[int64], error) {
		return ring.OpenQueue[int64](e.Region, name, &ring.QueueOptions{Capacity: 4})
	})
}

// Waitable is the actor's object of a name, whose first letter says of which kind it is.
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
	}
	actor.Fail(fmt.Errorf("no kind for the name %q", name))
	return nil
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
	_ = actor.Verb("queue.put", func(e *actor.Env, args []string) string { // number
		return Ringed(Queue(e, args[0]).Put(e.Ctx, numbers(args[1:])[0]))
	})
	_ = actor.Verb("queue.get", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return told(one(Queue(e, args[0]).Get(ctx)))
	})
	_ = actor.Verb("queue.tryget", func(e *actor.Env, args []string) string { return told(one(Queue(e, args[0]).TryGet())) })
	_ = actor.Verb("queue.poll", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return Ringed(Queue(e, args[0]).Poll(ctx))
	})
	_ = actor.Verb("queue.shutdown", func(e *actor.Env, args []string) string { return actor.Outcome(Queue(e, args[0]).Shutdown()) })
)
