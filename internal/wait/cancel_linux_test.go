package wait

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// An ending is a context whose end is in the test's hands: it can come between
// the look of a sleeper and what the sleeper does next, all of it.
type ending struct {
	context.Context
	over    atomic.Bool
	sleeper *Waiter
	looked  func() // called by each look, which has its answer by then
}

var neverDone = make(chan struct{})

// newEnding is the context of a new sleeper on l.
func newEnding(l *List) *ending {
	e := &ending{Context: background}
	e.sleeper = l.Waiter(e)
	return e
}

func (e *ending) Done() <-chan struct{} { return neverDone }

func (e *ending) Err() error {
	over := e.over.Load()
	if e.looked != nil {
		e.looked()
	}
	if over {
		return context.Canceled
	}
	return nil
}

// AfterFunc is what context.AfterFunc calls. Nothing is to be done: end does
// it, at once.
func (e *ending) AfterFunc(func()) (stop func() bool) { return func() bool { return true } }

// end is A1, A2 and A3. The sleeper is the test's for as long.
func (e *ending) end() {
	e.over.Store(true)
	e.sleeper.rouse()
}

// withoutRelook keeps a wake-up that was lost from being made good.
func withoutRelook(t *testing.T) {
	was := relook
	relook = time.Hour
	t.Cleanup(func() { relook = was })
}

// back waits for a call that must come back since its context has ended.
func back(t *testing.T, errs <-chan error) {
	t.Helper()
	select {
	case err := <-errs:
		if err != context.Canceled {
			t.Fatalf("Sleep = %v, want context.Canceled", err)
		}
	case <-time.After(patience):
		t.Fatal("the context has ended, and the sleeper sleeps on")
	}
}

// The context ends when the sleeper has just looked whether it has: S2 before
// A1. By S1, before the look, the nudge word is then not what it was.
func TestContextEndsAfterTheLook(t *testing.T) {
	withoutRelook(t)
	l, w := NewList(), word(t)
	for range 100 {
		ctx, errs := newEnding(l), make(chan error, 1)
		ended := false
		ctx.looked = func() { // by the sleeper alone
			if !ended {
				ended = true
				ctx.end()
			}
		}
		go func() {
			defer ctx.sleeper.Done()
			var err error
			for err == nil {
				err = ctx.sleeper.Sleep(w, 0)
			}
			errs <- err
		}()
		back(t, errs)
	}
}

// A waiter is alarmed while nobody can be woken: the nudge word, which whoever
// goes to sleep meanwhile looks at, has changed before.
func TestNudgeWordChangesBeforeTheKnock(t *testing.T) {
	if sys.HaveWaitv() {
		t.Skip("with futex_waitv there is no knock to hold up") // TestWithoutWaitv runs it
	}
	wt := NewList().Waiter(background)
	defer wt.Done()
	was := atomic.LoadUint32(wt.nudge)
	wt.bed.mu.Lock()
	over := make(chan struct{})
	go func() {
		wt.alarm()
		close(over)
	}()
	defer func() { <-over }()
	defer wt.bed.mu.Unlock()
	until(t, "the nudge word has changed", func() bool { return atomic.LoadUint32(wt.nudge) != was })
}

// Contexts end at all moments of a sleep. Every sleeper comes back.
func TestCancelAgainstSleep(t *testing.T) {
	withoutRelook(t)
	rounds := effort.Or(5000, 500)
	l, w := NewList(), word(t)
	begun, over := make(chan *ending), make(chan error, 1)
	go func() {
		defer close(begun)
		for range rounds {
			ctx := newEnding(l)
			begun <- ctx
			var err error
			for err == nil {
				err = ctx.sleeper.Sleep(w, 0)
			}
			over <- err
		}
	}()
	for ctx := range begun {
		mem.Relax(rand.IntN(256))
		ctx.end()
		back(t, over)
		ctx.sleeper.Done()
	}
}
