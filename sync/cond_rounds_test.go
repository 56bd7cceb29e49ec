package sync_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
	"example.com/tandem/sync"
)

// Rounds of a Cond, each: time out, say so, wait, say how it ended.
var _ = actor.Verb("cond.rounds", func(e *actor.Env, args []string) string { // n
	x := verbs.ClaimOn(e, args)
	for range actor.Opened(strconv.Atoi(args[2])) {
		err := condRound(x.Cond, x.Lock, func() { e.Say("timed out") })
		e.Say(actor.Outcome(err))
		if err != nil {
			return actor.Outcome(err)
		}
	}
	return "ok"
})

// condRound waits till a context ends, and then for a notification.
func condRound(c *sync.Cond, l sync.Lock, timedOut func()) error {
	if err := l.Lock(background); err != nil {
		return err
	}
	short, cancel := context.WithTimeout(background, 100*time.Microsecond)
	defer cancel()
	if err := c.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("a Wait that nobody notified: %w", err)
	}
	timedOut()
	err := c.Wait(background)
	return errors.Join(err, l.Unlock())
}
