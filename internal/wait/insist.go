package wait

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// Without futex_waitv (Linux before 5.16, some sandboxes) a sleeper sleeps on
// its object's word alone, with a bit of a bitset of its own, and does not see
// its nudge word. The alarmer changes the nudge word, wakes the object's word
// by that bit, and does so again and again until the sleeper is up:
//
//	Sleep:  S1 load the nudge word   S2 lie down   S2a nudge word changed: up   S3 sleep while word == v   S4 get up
//	alarm:  A2 change the nudge word   A3 lying: wake the word by the bit; repeat until it is up
//
// One wake would not do: it may fall between S2a and S3, and it changes no
// value that the kernel compares. The word is there while its sleeper lies, so it
// is woken under the bed's lock. Others with the same bit, in any
// process, wake for nothing now and then. The waiter pays nothing: it is the
// alarmer that repeats.
type bed struct {
	mu   sync.Mutex
	word *uint32 // what is slept on; nil: nobody is asleep
	turn uint64  // sleeps so far
	bit  uint32  // never changes
}

// Between two repetitions; the time doubles.
const (
	insistFirst = 20 * time.Microsecond
	insistMost  = time.Millisecond
)

//go:norace
func (w *Waiter) sleepInsisted(word *uint32, v, nudge uint32, until int64) error {
	b := &w.bed
	b.mu.Lock()
	b.word = word
	b.turn++
	b.mu.Unlock()
	var err error = syscall.EAGAIN
	for atomic.LoadUint32(w.nudge) == nudge {
		if err = sys.FutexWaitBits(word, v, b.bit, until); err != syscall.EINTR {
			break
		}
		err = syscall.EAGAIN
	}
	b.mu.Lock()
	b.word = nil
	b.mu.Unlock()
	return err
}

// knock wakes the sleeper, if only is 0 or the number of its sleep. It reports
// which sleep that is, and whether there is one; if not, the next to lie down
// sees that the nudge word changed.
//
//go:norace
func (b *bed) knock(only uint64) (turn uint64, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	on = b.word != nil && (only == 0 || only == b.turn)
	if on {
		sys.FutexWakeBits(b.word, -1, b.bit)
	}
	return b.turn, on
}

// insist knocks until the sleep with the number turn is over.
//
//go:norace
func (b *bed) insist(turn uint64) {
	for d := insistFirst; ; d = min(2*d, insistMost) {
		time.Sleep(d)
		if _, on := b.knock(turn); !on {
			return
		}
	}
}

// A restless is a sleep that was alarmed once and may not have heard it.
type restless struct {
	w    *Waiter
	turn uint64
}

//go:norace
func insistOn(all []restless) {
	mem.RaceDisable()
	for _, r := range all {
		r.w.bed.insist(r.turn)
	}
	mem.RaceEnable()
}
