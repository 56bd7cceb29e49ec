package wait

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/sys"
)

// A shownBoard remembers what it was told last.
type shownBoard struct {
	words map[int]*uint32
	n     map[int]int
	rest  int
}

func (b *shownBoard) Since(int, int64) {}
func (b *shownBoard) Show(slot int, w *uint32, n int) {
	b.words[slot], b.n[slot] = w, n
	if n == 0 {
		delete(b.words, slot)
	}
}
func (b *shownBoard) ShowRest(n int) { b.rest = n }

// several are words of lists, so many of each, on one page, a line apart.
func several(t *testing.T, per int, lists ...*List) (words []*uint32, of []*List) {
	page, _ := sharedPage(t)
	for i := range per * len(lists) {
		words, of = append(words, &page[i%1024]), append(of, lists[i%len(lists)])
	}
	return words, of
}

func startAny(ctx context.Context, of []*List, over ...*atomic.Bool) *Any {
	a := new(Any)
	for i, l := range of {
		var o *atomic.Bool
		if i < len(over) {
			o = over[i]
		}
		a.On(l, o)
	}
	a.Start(ctx, nil)
	return a
}

func valuesOf(words []*uint32) []uint32 {
	v := make([]uint32, len(words))
	for i, w := range words {
		v[i] = atomic.LoadUint32(w)
	}
	return v
}

// asleepAny runs SleepAny elsewhere, and returns when the call stands on all lists.
func asleepAny(t *testing.T, a *Any, words []*uint32, lists ...*List) <-chan error {
	t.Helper()
	c := make(chan error, 1)
	values := valuesOf(words)
	go func() { c <- a.SleepAny(words, values, 0) }()
	until(t, "it sleeps", func() bool {
		for _, l := range lists {
			if l.Sleeping() != 1 {
				return false
			}
		}
		return true
	})
	return c
}

// A wake-up on any word, the end of a context or of a handle, and Close of any of the lists
// end a sleep; then the call stands on none of them. There may be more words than one
// thread sleeps on.
func TestAnyEnds(t *testing.T) {
	if !sys.HaveWaitv() {
		t.Skip("nobody sleeps on several words")
	}
	withoutRelook(t)
	for _, per := range []int{1, 2, 100, 300} {
		for name, tt := range map[string]struct {
			end func(words []*uint32, a, b *List, over *atomic.Bool, cancel func())
			is  error
		}{
			"first": {func(words []*uint32, _, _ *List, _ *atomic.Bool, _ func()) {
				atomic.AddUint32(words[0], 1)
				Wake(words[0], 1)
			}, nil},
			"last": {func(words []*uint32, _, _ *List, _ *atomic.Bool, _ func()) {
				w := words[len(words)-1]
				atomic.AddUint32(w, 1)
				Wake(w, 1)
			}, nil},
			"nudge":   {func(_ []*uint32, _, b *List, _ *atomic.Bool, _ func()) { b.Nudge() }, nil},
			"context": {func(_ []*uint32, _, _ *List, _ *atomic.Bool, cancel func()) { cancel() }, context.Canceled},
			"handle":  {func(_ []*uint32, a, _ *List, over *atomic.Bool, _ func()) { over.Store(true); a.End(over) }, ErrEnded},
			"list":    {func(_ []*uint32, a, _ *List, _ *atomic.Bool, _ func()) { a.Close() }, ErrClosed},
			"other":   {func(_ []*uint32, _, b *List, _ *atomic.Bool, _ func()) { b.Close() }, ErrClosed},
		} {
			t.Run(name, func(t *testing.T) {
				la, lb, over := NewList(), NewList(), new(atomic.Bool)
				words, of := several(t, per, la, lb)
				ctx, cancel := context.WithCancel(background)
				defer cancel()
				a := startAny(ctx, of, over)
				defer a.Done()
				c := asleepAny(t, a, words, la, lb)
				tt.end(words, la, lb, over, cancel)
				err := <-c
				if err == nil && tt.is != nil { // it looks once more
					err = a.SleepAny(words, valuesOf(words), 0)
				}
				if !errors.Is(err, tt.is) {
					t.Errorf("SleepAny of %d words = %v, want %v", len(words), err, tt.is)
				}
				if la.Sleeping() != 0 || lb.Sleeping() != 0 {
					t.Errorf("%d and %d stand on the lists", la.Sleeping(), lb.Sleeping())
				}
				for _, w := range words {
					if n := Wake(w, -1); n != 0 {
						t.Fatalf("%d threads are on a word still", n)
					}
				}
			})
		}
	}
}

// A limit ends it, too; and a word that has changed already.
func TestAnyLimits(t *testing.T) {
	withoutRelook(t)
	l := NewList()
	words, of := several(t, 200, l)
	a := startAny(background, of)
	defer a.Done()
	sleep := func(values []uint32, limit int64) error {
		slept := make(chan error, 1)
		go func() { slept <- a.SleepAny(words, values, limit) }()
		return isUp(t, slept)
	}
	if err := sleep(valuesOf(words), sys.MonotonicNow()+int64(5*time.Millisecond)); err != nil {
		t.Errorf("SleepAny = %v", err)
	}
	if !sys.HaveWaitv() {
		return
	}
	for _, i := range []int{0, 126, 127, 199} {
		values := valuesOf(words)
		values[i]++
		if err := sleep(values, 0); err != nil {
			t.Errorf("with word %d changed: %v", i, err)
		}
	}
}

// Others are told of the first words of each list, until the call is over.
func TestAnyIsShown(t *testing.T) {
	l, other := NewList(), NewList()
	b := &shownBoard{words: map[int]*uint32{}, n: map[int]int{}}
	l.ShowOn(b)
	words, of := several(t, 20, l, other)
	a := startAny(background, of)
	for range 2 {
		if err := a.SleepAny(words, valuesOf(words), sys.MonotonicNow()+int64(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if len(b.words) != anyShown || b.rest != 0 {
			t.Errorf("%d words are shown, and %d calls beside", len(b.words), b.rest)
		}
		for slot, w := range b.words {
			if w != words[2*slot] || b.n[slot] != 1 {
				t.Errorf("slot %d shows %d calls on another word", slot, b.n[slot])
			}
		}
	}
	a.Done()
	if len(b.words) != 0 || b.rest != 0 {
		t.Errorf("after the call %d words are shown, and %d calls beside", len(b.words), b.rest)
	}
	a.On(other, nil) // it can be used again
	a.Start(background, nil)
	if err := a.SleepAny(words[:1], valuesOf(words[:1]), sys.MonotonicNow()+int64(time.Millisecond)); err != nil || len(b.words) != 0 {
		t.Errorf("another call: %v, %d shown", err, len(b.words))
	}
	a.Done()
}

// A nudge of the second list between a look and the sleep is heard, and the call is off the
// first again.
func TestAnyHearsBefore(t *testing.T) {
	withoutRelook(t)
	la, lb := NewList(), NewList()
	words, of := several(t, 1, la, lb)
	a := startAny(background, of)
	defer a.Done()
	lb.Nudge()
	slept := make(chan error, 1)
	go func() { slept <- a.SleepAny(words, valuesOf(words), 0) }()
	if err := isUp(t, slept); err != nil {
		t.Errorf("SleepAny = %v", err)
	}
	if la.Sleeping() != 0 || lb.Sleeping() != 0 {
		t.Errorf("%d and %d stand on the lists", la.Sleeping(), lb.Sleeping())
	}
}
