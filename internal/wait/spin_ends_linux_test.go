package wait

import (
	"context"
	"testing"
	"time"

	"example.com/tandem/internal/sys"
)

// Who spins for long hears, long before it is tired of spinning, of each reason
// to wait no more: Spin says no, and then Sleep says why.
func TestSpinModeHears(t *testing.T) {
	have(t, true)
	for _, tt := range []struct {
		reason string
		give   func(l *List, cancel context.CancelFunc)
		want   error
	}{
		{"the context has ended", func(_ *List, cancel context.CancelFunc) { cancel() }, context.Canceled},
		{"the list is closed", func(l *List, _ context.CancelFunc) { l.Close() }, ErrClosed},
		{"there was a nudge", func(l *List, _ context.CancelFunc) { l.Nudge() }, nil},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			l, w := NewList(), word(t)
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			wt := l.WaiterWith(ctx, NewSpinner(Spin))
			defer wt.Done()
			if !wt.Spin() || time.Duration(wt.spin.budget) != spinEver {
				t.Fatalf("mode Spin spins for %v, want %v", time.Duration(wt.spin.budget), spinEver)
			}
			wt.spin.budget = int64(time.Hour) // it cannot be the budget that ends it
			for range 200 {
				if !wt.Spin() {
					t.Fatal("it ends without a reason")
				}
			}
			tt.give(l, cancel)
			for end := sys.MonotonicNow() + int64(patience); wt.Spin(); {
				if sys.MonotonicNow() > end {
					t.Fatalf("%s, and it spins on", tt.reason)
				}
			}
			if err := wt.Sleep(w, 0); err != tt.want {
				t.Errorf("Sleep = %v, want %v", err, tt.want)
			}
		})
	}
}

// Whom nobody woke looks once, and does not spin.
func TestNoSpinAfterALateSleep(t *testing.T) {
	defer func(was time.Duration) { relook = was }(relook)
	relook = time.Millisecond
	l, w := NewList(), word(t)
	for _, sleep := range []func(wt *Waiter) error{
		func(wt *Waiter) error { return wt.Sleep(w, 0) },
		func(wt *Waiter) error {
			a := startAny(background, []*List{l})
			defer a.Done()
			defer func() { wt.spin.state = a.w.spin.state }()
			return a.SleepAny([]*uint32{w}, []uint32{0}, 0)
		},
	} {
		wt := l.WaiterWith(background, NewSpinner(Spin))
		if err := sleep(wt); err != nil {
			t.Fatal(err)
		}
		if wt.Spin() {
			t.Error("it spins")
		}
		wt.Done()
	}
}
