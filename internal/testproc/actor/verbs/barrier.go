package verbs

import (
	"errors"
	"fmt"
	"strconv"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/sync"
)

var _ = actor.Sentinel("broken", sync.ErrBroken)

var errAction = errors.New("the action failed")

var _ = actor.Sentinel("action failed", errAction)

// Barrier is the actor's barrier of a name, which has been opened.
func Barrier(e *actor.Env, name string) *sync.Barrier {
	return actor.Handle(e, name, func() (*sync.Barrier, error) { return sync.OpenBarrier(e.Region, name, 0, nil) })
}

// An action adds one to the number "acts", and may fail.
var _ = actor.Verb("barrier.open", func(e *actor.Env, args []string) string { // parties [action: "ok", "fail", "panic"]
	parties, err := strconv.Atoi(args[1])
	if err != nil {
		return err.Error()
	}
	var o *sync.BarrierOptions
	if len(args) > 2 {
		acts, what := Number(e, "acts"), args[2]
		o = &sync.BarrierOptions{Action: func() error {
			atomics.Add(acts, 1)
			switch what {
			case "fail":
				return errAction
			case "panic":
				panic(errAction)
			}
			return nil
		}}
	}
	b, err := sync.OpenBarrier(e.Region, args[0], parties, o)
	if err == nil {
		actor.Handle(e, args[0], func() (*sync.Barrier, error) { return b, nil })
	}
	return Refusal(err)
})

var _ = actor.Verb("barrier.wait", func(e *actor.Env, args []string) (answer string) { // [timeout]: the index, or an error
	b := Barrier(e, args[0])
	ctx, cancel := e.Within(args, 1)
	defer cancel()
	defer func() {
		if p := recover(); p == errAction {
			answer = "panic"
		} else if p != nil {
			panic(p)
		}
	}()
	i, err := b.Wait(ctx)
	if err != nil {
		return actor.Outcome(err)
	}
	return strconv.Itoa(i)
})

var _ = actor.Verb("barrier.abort", func(e *actor.Env, args []string) string { return actor.Outcome(Barrier(e, args[0]).Abort()) })
var _ = actor.Verb("barrier.reset", func(e *actor.Env, args []string) string { return actor.Outcome(Barrier(e, args[0]).Reset()) })

var _ = actor.Verb("barrier.state", func(e *actor.Env, args []string) string { // "2/3", "0/3 broken"
	b := Barrier(e, args[0])
	s := fmt.Sprintf("%d/%d", b.Waiting(), b.Parties())
	if b.Broken() {
		s += " broken"
	}
	return s
})
