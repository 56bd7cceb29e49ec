package engine

import "example.com/tandem/internal/mem"

// A Bell is the word that sleepers of one condition sleep on: an event count
// that costs the waker a load when nobody sleeps.
//
//	 31                    1   0
//	+-----------------------+---+
//	|       sequence        | S |
//	+-----------------------+---+
//	S         somebody may be asleep: may be set without one, never clear with one
//	sequence  changes with every ring that finds S set, and with every Bump
//
// Sleeper:  B1 set S (or see it set)  B2 look, fruitless  B3 sleep while the word is B1's
// Waker:    W1 change what is looked at  W2 fence  W3 load; S clear: done
//
//	W4 sequence+1, S kept  W5 wake n  W6 nobody was asleep: clear S, and wake all
//
// A wake-up cannot be lost: of B1 and W3 one comes first. If W3 does, W1 came
// before B2 and the look finds it. If B1 does, W4 changes the word, so either
// the sleeper is in the kernel and W5 finds it, or its sleep fails at once.
// W6 clears S by CAS on W4's value and then wakes all: who went to sleep
// between W5 and W6 is woken and sets S again; who comes later sees S clear.
//
// Death: a waker that dies between W1 and W5 leaves a change untold; one that
// dies inside W6 leaves sleepers with S clear. Recovery of the dead bumps
// every bell of every object that it had open, whatever S says (rule 5).
type Bell struct {
	w   *uint32
	env Env
}

const bellAsleep = 1

func NewBell(w *uint32, env Env) Bell { return Bell{w, env} }

// Arm is B1. The caller looks once more and then sleeps on Word while it is
// the value returned.
func (b Bell) Arm() uint32 {
	for {
		v := mem.Load32(b.w)
		if v&bellAsleep != 0 || mem.CAS32(b.w, v, v|bellAsleep) {
			return v | bellAsleep
		}
	}
}

// Word is what a sleeper sleeps on.
func (b Bell) Word() *uint32 { return b.w }

// Armed reports S: whether Ring would do anything.
func (b Bell) Armed() bool { return mem.Load32(b.w)&bellAsleep != 0 }

// Ring is W3 to W6: wakes up to n sleepers if there may be any. What they
// look at was changed before by a fenced store, an XCHG or a CAS (W1, W2).
func (b Bell) Ring(n int) {
	if mem.Load32(b.w)&bellAsleep != 0 {
		b.ring(n)
	}
}

//go:noinline
func (b Bell) ring(n int) {
	for {
		v := mem.Load32(b.w)
		if v&bellAsleep == 0 {
			return
		}
		if !mem.CAS32(b.w, v, v+2) { // W4
			continue
		}
		if b.env.Wake(b.w, n) == 0 && mem.CAS32(b.w, v+2, (v+4)&^bellAsleep) { // W5, W6
			b.env.Wake(b.w, -1)
		}
		return
	}
}

// Bump changes the sequence whatever S says and wakes everybody: recovery's
// ring. S stays as it is; a sleeper that went unnoticed sets it again.
func (b Bell) Bump() {
	mem.Add32(b.w, 2)
	b.env.Wake(b.w, -1)
}
