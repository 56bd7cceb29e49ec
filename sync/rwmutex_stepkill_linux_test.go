package sync_test

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what an RWMutex can do, alone
// and with others who read, write or sleep.

// onRWMutex names what a victim does to the RWMutex m. It is rehearsed on
// another. hold is done to each before.
func onRWMutex(name string, hold func(*sync.RWMutex) error, do func(m *sync.RWMutex) error) stepkill.Op {
	return stepkill.Rehearsed("rwmutex/"+name, "m", func(r *shm.Region, name string) (func() error, error) {
		m, err := sync.OpenRWMutex(r, name)
		if err == nil && hold != nil {
			err = hold(m)
		}
		return func() error { return do(m) }, err
	})
}

func rwLock(m *sync.RWMutex) error  { return m.Lock(background) }
func rwRLock(m *sync.RWMutex) error { return m.RLock(background) }

var (
	rwWrites   = onRWMutex("lock-unlock", nil, noted(rwLock, (*sync.RWMutex).Unlock))
	rwReads    = onRWMutex("rlock-runlock", nil, noted(rwRLock, (*sync.RWMutex).RUnlock))
	rwTries    = onRWMutex("trylock-unlock", nil, noted(trying((*sync.RWMutex).TryLock), (*sync.RWMutex).Unlock))
	rwTriesR   = onRWMutex("tryrlock-runlock", nil, noted(trying((*sync.RWMutex).TryRLock), (*sync.RWMutex).RUnlock))
	rwRefused  = onRWMutex("trylock-refused", nil, refused((*sync.RWMutex).TryLock, (*sync.RWMutex).Unlock))
	rwRefusedR = onRWMutex("tryrlock-refused", nil, refused((*sync.RWMutex).TryRLock, (*sync.RWMutex).RUnlock))
	rwUnlocks  = onRWMutex("unlock", rwLock, (*sync.RWMutex).Unlock)
	rwRUnlocks = onRWMutex("runlock", rwRLock, (*sync.RWMutex).RUnlock)
	rwMarks    = onRWMutex("recover-mark-unlock", nil, noted(func(m *sync.RWMutex) error {
		_, err := m.Recover(background)
		return err
	}, func(m *sync.RWMutex) error { return errors.Join(m.MarkConsistent(), m.Unlock()) }))
	rwMends = onRWMutex("rlock-with-onownerdied-runlock", nil, noted(func(m *sync.RWMutex) error {
		m.OnOwnerDied(func(context.Context) error { return nil })
		return m.RLock(background)
	}, (*sync.RWMutex).RUnlock))
	rwIsTold = onRWMutex("rlock-abandoned", nil, func(m *sync.RWMutex) error {
		err := m.RLock(background)
		if errors.Is(err, sync.ErrOwnerDied) {
			return nil
		}
		return errors.Join(err, m.RUnlock())
	})
	// peers, at full speed
	rwPeerHolds  = onRWMutex("peer-holds", nil, rwLock)
	rwPeerWrites = onRWMutex("peer-writes", nil, func(m *sync.RWMutex) error {
		_, err := takeOver(background, m)
		return err
	})
	rwPeerReads = onRWMutex("peer-reads", nil, func(m *sync.RWMutex) error { return readOver(background, m) })
)

// refused is an attempt that may find somebody inside, or nobody.
func refused(try func(*sync.RWMutex) (bool, error), unlock func(*sync.RWMutex) error) func(*sync.RWMutex) error {
	return func(m *sync.RWMutex) error {
		ok, err := try(m)
		if ok {
			err = unlock(m)
		}
		return err
	}
}

// readOver reads, and repairs if it is told to.
func readOver(ctx context.Context, m *sync.RWMutex) error {
	err := m.RLock(ctx)
	for errors.Is(err, sync.ErrOwnerDied) {
		if _, err = takeOver(ctx, m); err == nil {
			err = m.RLock(ctx)
		}
	}
	if err == nil {
		err = m.RUnlock()
	}
	return err
}

// overRW is a survivor's after a victim, which may have been a writer when it
// died, or not: then nobody is told of a death.
func overRW(t *testing.T, m *sync.RWMutex, d stepkill.Death, writer bool) {
	t.Helper()
	mustTakeOver(t, m, d, writer)
	wantTries(t, m, true, true)
}

// rwSleepers has a peer of each kind sleep on m, and a reader of this process.
// What it returns waits until all have had it.
func rwSleepers(t *testing.T, s *stepkill.Stage, others bool) (wait func()) {
	t.Helper()
	if !others {
		return func() {}
	}
	m := rwmutex(t, s.Region, "m")
	return sleepers(t, s, func(ctx context.Context) error { return readOver(ctx, m) }, rwPeerWrites, rwPeerReads)
}

// Free.
func TestFreeRWMutexKilledAnywhere(t *testing.T) {
	for _, tt := range stepkill.Some(t, []struct {
		op     stepkill.Op
		writer bool
	}{{rwWrites, true}, {rwTries, true}, {rwReads, false}, {rwTriesR, false}}...) {
		stepkill.Every(t, tt.op, func(t *testing.T, s *stepkill.Stage) {
			m := rwmutex(t, s.Region, "m")
			d := s.Die(nil)
			overRW(t, m, d, tt.writer && d.Note != itHeld)
		})
	}
}

// Held by this process, as a writer or a reader, with the victim the only one
// to wait, or with sleepers before it.
func TestContendedRWMutexKilledAnywhere(t *testing.T) {
	for _, tt := range stepkill.Some(t, []struct {
		name   string
		op     stepkill.Op
		read   bool // this process reads, else it writes
		others bool
	}{
		{"a writer behind a reader", rwWrites, true, false},
		{"a writer behind a writer", rwWrites, false, false},
		{"a writer behind sleepers", rwWrites, false, true},
		{"a reader behind a writer", rwReads, false, false},
		{"a reader behind sleepers", rwReads, false, true},
		{"a reader with a reader", rwReads, true, false},
		{"an attempt to write what is read", rwRefused, true, false},
		{"an attempt to read what is written", rwRefusedR, false, false},
	}...) {
		t.Run(tt.name, func(t *testing.T) {
			stepkill.Every(t, tt.op, func(t *testing.T, s *stepkill.Stage) {
				m := rwmutex(t, s.Region, "m")
				lock, unlock := rwLock, m.Unlock
				if tt.read {
					lock, unlock = rwRLock, m.RUnlock
				}
				must(t, lock(m))
				sleeping := rwSleepers(t, s, tt.others)
				freed := false
				d := s.Die(func() {
					freed = true
					if err := unlock(); err != nil {
						t.Error(err)
					}
				})
				writer := tt.op == rwWrites && freed && d.Note != itHeld
				if !freed {
					if p, ok := m.Owner(); ok == tt.read || ok && p != s.Region.Self() {
						t.Errorf("Owner = %v, %v", p, ok)
					}
					must(t, unlock())
				}
				sleeping()
				overRW(t, m, d, writer)
			})
		})
	}
}

// The victim holds it, and others sleep, or do not.
func TestRWUnlockKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{rwUnlocks, rwRUnlocks} {
		for name, others := range map[string]bool{"alone": false, "with sleepers": true} {
			t.Run(name, func(t *testing.T) {
				stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
					m := rwmutex(t, s.Region, "m")
					sleeping := func() {}
					s.OnReady(func() {
						if !others {
							return
						}
						if op == rwRUnlocks { // a writer, and readers behind it
							p := s.StartBlocked(rwPeerWrites)
							p.Asleep()
							q := s.StartBlocked(rwPeerReads)
							q.Asleep()
							sleeping = func() { p.Wait(); q.Wait() }
							return
						}
						sleeping = rwSleepers(t, s, true)
					})
					d := s.Die(nil)
					sleeping()
					overRW(t, m, d, !d.Returned && op == rwUnlocks)
				})
			})
		}
	}
}

// Abandoned by a writer who died.
func TestAbandonedRWMutexKilledAnywhere(t *testing.T) {
	for _, op := range stepkill.Some(t, rwMarks, rwMends, rwIsTold) {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			m := rwmutex(t, s.Region, "m")
			s.Leave(rwPeerHolds)
			d := s.Die(nil)
			suspect, err := takeOver(stepkill.Watchdog(t), m)
			if err != nil {
				t.Fatalf("after a death %v: %v", d, err)
			}
			// Repaired is repaired; before that, or by nobody, it is abandoned.
			repaired := d.Note == itHeld || d.Note == itHolds && op == rwMends
			if repaired == suspect && (repaired || op == rwIsTold) {
				t.Errorf("after a death %v: suspect %v", d, suspect)
			}
			wantTries(t, m, true, true)
		})
	}
}
