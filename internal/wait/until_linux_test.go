package wait

import (
	"errors"
	"testing"
	"time"
)

// SleepUntil ends at its limit, not before, and long before a plain sleep
// would look again; a limit that has passed ends it at once.
func TestSleepUntil(t *testing.T) {
	l, w := NewList(), word(t)
	wt := l.Waiter(background)
	defer wt.Done()
	soonest := time.Hour
	for range 5 { // the machine may be busy
		const d = 5 * time.Millisecond
		start := wt.Now()
		if err := wt.SleepUntil(w, 0, start+int64(d)); err != nil {
			t.Fatalf("SleepUntil = %v", err)
		}
		took := time.Duration(wt.Now() - start)
		if took < d {
			t.Errorf("a sleep of %v took %v", d, took)
		}
		soonest = min(soonest, took)
	}
	if soonest >= relook {
		t.Errorf("sleeps of 5 ms took %v and more", soonest)
	}
	if err := wt.SleepUntil(w, 0, 1); err != nil {
		t.Errorf("SleepUntil a time that has passed = %v", err)
	}
	if n := l.Stats().Rescues; n != 0 {
		t.Errorf("%d rescues of sleeps that nobody was to end", n)
	}
	l.Close()
	if err := wt.SleepUntil(w, 0, wt.Now()+int64(time.Hour)); !errors.Is(err, ErrClosed) {
		t.Errorf("SleepUntil in a closed list = %v", err)
	}
}
