package engine_test

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// LockGuess and UnlockGuess of one who has seen the mutex free, with another
// sequence than the first: each succeeds from one word alone, and leaves all
// others as they are.
func TestMutexGuess(t *testing.T) {
	const free, held = 0x0000_0000_0000_1800, 0x0000_0009_0000_1805
	for _, tt := range []struct {
		name         string
		word         uint64
		lock, unlock uint64 // what they make of it; 0: nothing
	}{
		{"free", free, held, 0},
		{"held by this process", held, 0, free},
		{"free, another sequence", 0x2000, 0, 0},
		{"held by this process, another sequence", 0x0000_0009_0000_2005, 0, 0},
		{"free, perhaps with sleepers", 0x8000_1800, 0, 0},
		{"held by this process, perhaps with sleepers", 0x0000_0009_8000_1805, 0, 0},
		{"abandoned", 0x4000_1800, 0, 0},
		{"under repair", 0x0000_0009_4000_1805, 0, 0},
		{"offered", 0xb000_1800, 0, 0},
		{"held by an earlier user of the index", 0x0000_0008_0000_1805, 0, 0},
		{"held by another process", 0x0000_0009_0000_1806, 0, 0},
	} {
		a := mem.Heap(engine.MutexSize)
		m := attach(t, a, newHeapFutex().env(4, 9))
		*a.W64(0), *a.W64(8) = free, 12345 // since some time, by another
		if m.LockGuess() {
			t.Fatal("it guesses what it has not seen")
		}
		if !m.LockLook() || *a.W64(0) != held || *a.W64(8) != 0 {
			t.Fatalf("LockLook of a free mutex: the word is %#x, since %d", *a.W64(0), *a.W64(8))
		}
		*a.W64(0) = tt.word
		if got := m.UnlockGuess(); got != (tt.unlock != 0) || *a.W64(0) != max(tt.unlock, tt.word*b2u(!got)) {
			t.Errorf("%s: UnlockGuess = %v, and the word is %#x", tt.name, got, *a.W64(0))
		}
		*a.W64(0), *a.W64(8) = tt.word, 12345
		if got := m.LockGuess(); got != (tt.lock != 0) || *a.W64(0) != max(tt.lock, tt.word*b2u(!got)) || (*a.W64(8) == 0) != got {
			t.Errorf("%s: LockGuess = %v, and the word is %#x, since %d", tt.name, got, *a.W64(0), *a.W64(8))
		}
	}
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// A guess that was wrong is right again after one look, however the sequence came
// to be another: by a slow Lock, or a slow Unlock.
func TestMutexGuessLearns(t *testing.T) {
	a := mem.Heap(engine.MutexSize)
	f := newHeapFutex()
	m, other := attach(t, a, f.env(0, 1)), attach(t, a, f.env(1, 1))
	for _, m := range []*engine.Mutex{m, other} {
		if !m.LockGuess() || !other.Want() || m.UnlockGuess() || m.Unlock() != nil {
			t.Fatalf("a mutex that another wants: it is %#x", *a.W64(0))
		}
		if !m.LockGuess() || !m.UnlockGuess() {
			t.Errorf("after its own slow Unlock it guesses wrong: it is %#x", *a.W64(0))
		}
		if other.LockGuess() != (m == other) {
			t.Errorf("after a slow Unlock by another it guesses right: it is %#x", *a.W64(0))
		}
		if m == other {
			continue
		}
		if other.Lock(heapSleeper{f, t.Context()}) != nil || !other.UnlockGuess() || !other.LockGuess() || !other.UnlockGuess() {
			t.Errorf("after a slow Lock it guesses wrong: it is %#x", *a.W64(0))
		}
	}
}
