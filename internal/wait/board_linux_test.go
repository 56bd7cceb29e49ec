package wait

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/mem"
)

// A fakeBoard remembers what it was told.
type fakeBoard struct {
	word  [BoardSlots]*uint32
	n     [BoardSlots]int
	since [BoardSlots]int64
	rest  int
}

//go:norace
func (b *fakeBoard) Since(slot int, t int64) { b.since[slot] = t }

//go:norace
func (b *fakeBoard) Show(slot int, word *uint32, n int) { b.word[slot], b.n[slot] = word, n }

//go:norace
func (b *fakeBoard) ShowRest(n int) { b.rest = n }

// copied is b as it is at one instant.
//
//go:norace
func (b *fakeBoard) copied(l *List) fakeBoard {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *b
}

// Calls come, go on to other words, and go. What stands on the board is always
// what a second account of them says.
func TestBoardSaysWhoSleeps(t *testing.T) {
	seeds := effort.Or[uint64](50, 5)
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 1))
		l, b := NewList(), &fakeBoard{}
		l.ShowOn(b)
		words := make([]uint32, 20+r.IntN(40))
		moves := r.IntN(2) == 0
		on := map[*Waiter]*uint32{}
		for now := int64(1); now < 2000; now++ {
			var w *Waiter
			if len(on) > 0 && r.IntN(100) < 55 {
				for w = range on { // any
					break
				}
			}
			switch {
			case w == nil:
				w = &Waiter{list: l}
				on[w] = &words[r.IntN(len(words))]
				l.post(w, on[w], now)
			case r.IntN(3) > 0:
				l.unpost(w)
				delete(on, w)
			default:
				if moves {
					on[w] = &words[r.IntN(len(words))]
				}
				l.post(w, on[w], now)
			}
			checkBoard(t, b, on, !moves && len(words) <= BoardSlots)
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, now)
			}
		}
		for w := range on {
			l.unpost(w)
		}
		checkBoard(t, b, nil, true)
	}
}

func checkBoard(t *testing.T, b *fakeBoard, on map[*Waiter]*uint32, inOrder bool) {
	t.Helper()
	n, oldest, times, rest := map[*uint32]int{}, map[*uint32]int64{}, map[*uint32]map[int64]bool{}, 0
	for w, word := range on {
		if w.place == placeRest {
			rest++
			continue
		}
		n[word]++
		if oldest[word] == 0 || w.since < oldest[word] {
			oldest[word] = w.since
		}
		if times[word] == nil {
			times[word] = map[int64]bool{}
		}
		times[word][w.since] = true
	}
	if rest != b.rest {
		t.Errorf("%d without a slot, want %d", b.rest, rest)
	}
	shown := 0
	for i, c := range b.n {
		if c == 0 {
			continue
		}
		shown++
		word := b.word[i]
		if c != n[word] {
			t.Errorf("slot %d: %d calls, want %d", i, c, n[word])
		}
		if !times[word][b.since[i]] || inOrder && b.since[i] != oldest[word] {
			t.Errorf("slot %d: since %d, want %d", i, b.since[i], oldest[word])
		}
	}
	if shown != len(n) {
		t.Errorf("%d words shown, want %d", shown, len(n))
	}
}

// A call is on the board while it sleeps and until its Done, is shown at its
// next word from then on, and a list that was closed writes nothing.
func TestBoardFollowsACall(t *testing.T) {
	withoutRelook(t)
	page, _ := sharedPage(t)
	l, b := NewList(), &fakeBoard{}
	l.ShowOn(b)
	shown := func() (word *uint32, n int, since int64) {
		c := b.copied(l)
		return c.word[0], c.n[0], c.since[0]
	}
	sleeps := func(w *Waiter, word *uint32) chan error {
		done := make(chan error)
		go func() { done <- w.Sleep(word, 0) }()
		until(t, "it sleeps", func() bool { return l.Sleeping() == 1 })
		return done
	}
	wake := func(word *uint32, done chan error) {
		for {
			Wake(word, 1)
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
				return
			default:
			}
		}
	}
	w := l.Waiter(background)
	if _, n, _ := shown(); n != 0 {
		t.Errorf("%d calls before a sleep", n)
	}
	done := sleeps(w, &page[0])
	word, n, first := shown()
	if word != &page[0] || n != 1 || first == 0 {
		t.Errorf("asleep: %p %d %d, want %p", word, n, first, &page[0])
	}
	wake(&page[0], done)
	if _, n, _ := shown(); n != 1 {
		t.Errorf("%d calls while it looks again, want 1", n)
	}
	done = sleeps(w, &page[32])
	if word, n, since := shown(); word != &page[32] || n != 1 || since != first {
		t.Errorf("asleep on another word: %p %d since %d, want %p since %d", word, n, since, &page[32], first)
	}
	wake(&page[32], done)
	w.Done()
	if _, n, _ := shown(); n != 0 {
		t.Errorf("%d calls after Done", n)
	}

	w = l.Waiter(background)
	w.Resume(first)
	done = sleeps(w, &page[0])
	if _, _, since := shown(); since != first || w.Since() != first {
		t.Errorf("resumed: since %d, want %d", since, first)
	}
	l.Close()
	<-done
	before := b.copied(l)
	w.Done()
	if b.copied(l) != before {
		t.Error("something was written after Close")
	}
}

// What a call pays for being shown, beside the sleep itself.
func BenchmarkPost(b *testing.B) {
	page, _ := sharedPage(b)
	l, w := NewList(), &Waiter{}
	l.ShowOn(pageBoard(page))
	for now := int64(1); b.Loop(); now++ {
		l.post(w, &page[0], now)
		l.unpost(w)
	}
}

// A pageBoard stores as a region does.
type pageBoard []uint32

func (p pageBoard) at(i int) *uint64                { return (*uint64)(unsafe.Pointer(&p[64+2*i])) }
func (p pageBoard) Since(slot int, t int64)         { mem.Store64(p.at(2*slot+1), uint64(t)) }
func (p pageBoard) Show(slot int, _ *uint32, n int) { mem.Store64(p.at(2*slot), uint64(n)) }
func (p pageBoard) ShowRest(n int)                  { mem.Store64(p.at(100), uint64(n)) }
