package sync_test

import (
	"context"
	gosync "sync"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// What the step-kills of several kinds share.

func init() { stepkill.Main() }

// Notes of a victim: what it knows for sure.
const (
	itHolds = 1 + iota
	itHeld
)

// noted makes one operation of a lock and its unlock, with a note after each.
func noted[L any](lock, unlock func(L) error) func(L) error {
	return func(l L) error {
		if err := lock(l); err != nil {
			return err
		}
		stepkill.Note(itHolds)
		err := unlock(l)
		stepkill.Note(itHeld)
		return err
	}
}

// trying makes an operation of an attempt, which is not to be refused.
func trying[L any](try func(L) (bool, error)) func(L) error {
	return func(l L) error { return tried(try(l)) }
}

// sleepers has here called by a goroutine of this process, and each of peers by
// a process of its own, and returns when all of them sleep. wait waits until
// all have had what they sleep for.
func sleepers(t *testing.T, s *stepkill.Stage, here func(context.Context) error, peers ...stepkill.Op) (wait func()) {
	t.Helper()
	var wg gosync.WaitGroup
	ctx := stepkill.Watchdog(t)
	wg.Go(func() {
		if err := here(ctx); err != nil {
			t.Errorf("a sleeper in this process: %v", err)
		}
	})
	var started []*stepkill.Peer
	for _, op := range peers {
		started = append(started, s.StartBlocked(op))
	}
	for _, p := range started {
		p.Asleep()
	}
	return func() {
		t.Helper()
		wg.Wait()
		for _, p := range started {
			p.Wait()
		}
	}
}

// mustTakeOver has a survivor take l after the death of a victim. Only if the
// victim may have held l does the survivor find it abandoned.
func mustTakeOver(t *testing.T, l interface {
	repairable
	Owner() (shm.Participant, bool)
}, d stepkill.Death, mayHold bool) {
	t.Helper()
	suspect, err := takeOver(stepkill.Watchdog(t), l)
	if err != nil {
		t.Fatalf("after a death %v: %v", d, err)
	}
	if suspect && !mayHold {
		t.Errorf("after a death %v, when the victim did not hold the lock, the survivor is told of a dead holder", d)
	}
	if p, held := l.Owner(); held {
		t.Errorf("after all have unlocked, %v is the owner", p)
	}
}
