package wait

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// A closing is a context at whose look (S2), just after the look at the handle,
// something happens.
type closing struct {
	context.Context
	f func()
}

func (c *closing) Err() error {
	if f := c.f; f != nil {
		c.f = nil
		f()
	}
	return c.Context.Err()
}

// A handle that is closed between S2 and the sleep ends that sleep at once, and
// not by the slow re-look.
func TestEndBetweenLookAndSleep(t *testing.T) {
	was := relook
	relook = time.Hour
	t.Cleanup(func() { relook = was })
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	l, p := NewList(), word(t)
	var over atomic.Bool
	c := &closing{ctx, nil}
	wt := l.Waiter(c).For(&over)
	defer wt.Done()
	c.f = func() { over.Store(true); l.End(&over) } // object.Core.Close
	slept := make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			err = wt.Sleep(p, 0)
		}
		slept <- err
	}()
	select {
	case err := <-slept:
		if err != ErrEnded {
			t.Errorf("Sleep = %v, want ErrEnded", err)
		}
	case <-time.After(patience):
		t.Fatal("it sleeps on")
	}
}
