package engine

import (
	"errors"
	"fmt"
	"testing"

	"example.com/tandem/internal/mem"
)

func rwIn(t *testing.T, a mem.Area, index, epoch uint32) *RWMutex {
	t.Helper()
	l, err := AttachRWMutex(a, Env{Self: Self{index, epoch}, Wake: func(*uint32, int) int { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newRW(t *testing.T) mem.Area {
	t.Helper()
	a := mem.Heap(RWMutexSize(100))
	InitRWMutex(a)
	return a
}

// wantRW checks what a look shows: owner's index or -1, readers by row.
func wantRW(t *testing.T, a mem.Area, state string, owner int, readers string) {
	t.Helper()
	k := lookRWMutex(a)
	is := -1
	if k.Owner != nil {
		is = int(k.Owner.Index)
	}
	have := ""
	for _, h := range k.Holders {
		have += fmt.Sprintf("%d.%d:%d ", h.Who.Index, h.Who.Epoch, h.N)
	}
	if k.State != state || is != owner || have != readers {
		t.Errorf("state %q, owner %d, readers %q; want %q, %d, %q", k.State, is, have, state, owner, readers)
	}
	if err := checkRWMutex(a); err != nil {
		t.Errorf("Check = %v", err)
	}
}

// A handle more in a process changes nothing of what the process holds; a new
// epoch begins with nothing.
func TestRWMutexAttach(t *testing.T) {
	a := newRW(t)
	l := rwIn(t, a, 99, 7)
	if !l.RLockNow() || !rwIn(t, a, 99, 7).RLockNow() {
		t.Fatal("a free lock cannot be read")
	}
	wantRW(t, a, "", -1, "99.7:2 ")
	if err := recoverRWMutex(a, l.m.env, Self{99, 7}); err != nil {
		t.Fatal(err)
	}
	wantRW(t, a, "", -1, "")
	l = rwIn(t, a, 99, 8)
	l.RLockNow()
	// A recovery that comes late does not touch whoever came after.
	if err := recoverRWMutex(a, l.m.env, Self{99, 7}); err != nil {
		t.Fatal(err)
	}
	wantRW(t, a, "", -1, "99.8:1 ")
	if _, err := AttachRWMutex(a, Env{Self: Self{100, 1}}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a participant without a row attaches: %v", err)
	}
}

// A reader is seen whose row's bit is in another word than the writer's, and so are
// the readers of the writer's own process.
func TestRWMutexManyRows(t *testing.T) {
	a := newRW(t)
	for _, index := range []uint32{3, 99} {
		reader, writer := rwIn(t, a, index, 1), rwIn(t, a, 99, 1)
		if !reader.RLockNow() || writer.LockNow() {
			t.Errorf("it is written while %d reads", index)
		}
		if err := reader.RUnlock(); err != nil || !writer.LockNow() || writer.Unlock() != nil {
			t.Errorf("it cannot be written when %d has read: %v", index, err)
		}
	}
}

// Recovery by hand, in each state that a writer can die in.
func TestRWMutexRecovery(t *testing.T) {
	dead, live := Self{3, 5}, Self{4, 2}
	for _, tt := range []struct {
		name  string
		die   func(l *RWMutex)
		state string
	}{
		{"reading", func(l *RWMutex) { l.RLockNow(); l.RLockNow() }, ""},
		{"before W3", func(l *RWMutex) { l.m.LockNow() }, ""},
		{"inside", func(l *RWMutex) { l.LockNow() }, "abandoned"},
		{"after W4", func(l *RWMutex) { l.LockNow(); mem.CAS64(l.entered, l.m.me, 0) }, ""},
		{"passed over", func(l *RWMutex) { mem.Add32(l.passed(), 1); mem.Store32(l.starving, 1) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newRW(t)
			tt.die(rwIn(t, a, dead.Index, dead.Epoch))
			l := rwIn(t, a, live.Index, live.Epoch)
			for range 2 { // a second time for one who died in it
				if err := recoverRWMutex(a, l.m.env, dead); err != nil {
					t.Fatal(err)
				}
				wantRW(t, a, tt.state, -1, "")
			}
			suspect, err := l.Recover(asleep{})
			if err != nil || suspect != (tt.state != "") {
				t.Errorf("Recover = %v, %v", suspect, err)
			}
			if err := errors.Join(l.MarkConsistent(), l.Unlock()); err != nil {
				t.Error(err)
			}
			wantRW(t, a, "", -1, "")
		})
	}
}

// asleep is a Sleeper for those who need not wait.
type asleep struct{}

func (asleep) Sleep(*uint32, uint32) error { return errAsleep }
func (asleep) Spin() bool                  { return false }
func (asleep) Now() int64                  { return 1 }

var errAsleep = errors.New("it sleeps")

// A repairer who is inside already is not taken for the dead.
func TestRWMutexRecoveryGoesOnLate(t *testing.T) {
	a := newRW(t)
	dead := rwIn(t, a, 3, 5)
	dead.LockNow()
	l := rwIn(t, a, 4, 2)
	// The recoverer dies between taking the mutex and clearing entered …
	if err := l.m.takeFrom(Self{3, 5}, true); err != nil {
		t.Fatal(err)
	}
	if suspect, err := l.Recover(asleep{}); !suspect || err != nil {
		t.Fatalf("Recover = %v, %v", suspect, err)
	}
	// … and the next one comes when somebody repairs.
	if err := recoverRWMutex(a, l.m.env, Self{3, 5}); err != nil {
		t.Fatal(err)
	}
	if who, ok := l.Owner(); !ok || who != (Self{4, 2}) {
		t.Errorf("the owner is %v, %v", who, ok)
	}
	if err := errors.Join(l.MarkConsistent(), l.Unlock()); err != nil {
		t.Error(err)
	}
}

// The count of one process's readers ends somewhere, and stays what it was.
func TestRWMutexTooManyReaders(t *testing.T) {
	a := newRW(t)
	l := rwIn(t, a, 3, 5)
	mem.Store64(l.row, l.base+rwMost-1)
	if err := l.RLock(asleep{}); err != nil {
		t.Errorf("RLock number %d = %v", rwMost, err)
	}
	for range 2 {
		if err := l.RLock(asleep{}); err != errReaders {
			t.Errorf("one more = %v", err)
		}
	}
	wantRW(t, a, "", -1, fmt.Sprintf("3.5:%d ", rwMost))
	if err := l.RUnlock(); err != nil {
		t.Error(err)
	}
	wantRW(t, a, "", -1, fmt.Sprintf("3.5:%d ", rwMost-1))
}

// A timer is a TimedSleeper for whom nothing ever happens but that time passes.
type timer struct {
	asleep
	now    int64
	sleeps int
}

func (s *timer) Now() int64 { return s.now }
func (s *timer) SleepUntil(_ *uint32, _ uint32, limit int64) error {
	if s.sleeps++; s.sleeps > 3 {
		return errAsleep
	}
	s.now = limit
	return nil
}

// For a reader that was passed over, and is stopped, writers stand back once,
// and no longer than patience.
func TestRWMutexStandsBackOnce(t *testing.T) {
	a := newRW(t)
	starving := rwIn(t, a, 3, 5)
	mem.Add32(starving.passed(), 1)
	mem.Store32(starving.starving, 1)
	wantRW(t, a, "readers passed over", -1, "")
	s := &timer{now: 1e9}
	for i := range uint32(3) {
		l := rwIn(t, a, 4+i, 1)
		if err := errors.Join(l.Lock(s), l.Unlock()); err != nil {
			t.Fatal(err)
		}
	}
	if s.sleeps != 1 || s.now != 1e9+patience {
		t.Errorf("%d sleeps of %d ns together; want 1 of %d", s.sleeps, s.now-1e9, int(patience))
	}
	// As soon as it says so again, once more.
	mem.Store32(starving.starving, 1)
	if err := starving.Lock(s); err != nil {
		t.Fatal(err)
	}
	if s.sleeps != 2 {
		t.Errorf("%d sleeps, want 2", s.sleeps)
	}
}

// What cannot be is an error, and nothing that waits for it waits for ever.
func TestRWMutexDamaged(t *testing.T) {
	for name, damage := range map[string]func(a mem.Area){
		"a row with too many":       func(a mem.Area) { mem.Store64(a.W64(384+128*9), 1<<32|1<<31) },
		"a row that is not in use":  func(a mem.Area) { mem.Store64(a.W64(384+128*70), 1<<32|1) },
		"entered by nobody there":   func(a mem.Area) { mem.Store64(a.W64(128), 1<<32|1500) },
		"entered with other bits":   func(a mem.Area) { mem.Store64(a.W64(128), 1<<32|1<<11|3) },
		"a mutex's word is rubbish": func(a mem.Area) { mem.Store64(a.W64(0), 1<<32|2000) },
	} {
		for call, f := range map[string]func(*RWMutex) error{
			"Lock":   func(l *RWMutex) error { return l.Lock(asleep{}) },
			"RLock":  func(l *RWMutex) error { return l.RLock(asleep{}) },
			"Unlock": (*RWMutex).Unlock, "RUnlock": (*RWMutex).RUnlock,
		} {
			a := newRW(t)
			l := rwIn(t, a, 9, 1)
			damage(a)
			if err := checkRWMutex(a); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: Check = %v", name, err)
			}
			if err := f(l); err == errAsleep {
				t.Errorf("%s: %s waits", name, call)
			}
		}
	}
}
