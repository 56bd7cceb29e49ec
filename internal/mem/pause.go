package mem

import "time"

// Relax tells the processor n times that this thread spins (PAUSE on amd64,
// ISB on arm64), so that its sibling gets the core's resources and the memory
// bus is left alone.
//
// It is not inlined, and nothing that spins is nosplit, for its prologue is
// where a stop-the-world gets in: assembly is never a safe point, and a loop
// round the bare stub delayed the collector by seconds. For the same reason n
// is small: PerMicro at most.
//
//go:noinline
func Relax(n int) { pause(n) }

// RelaxMicro relaxes for about a microsecond, or less.
//
//go:noinline
func RelaxMicro() { pause(PerMicro) }

// Bide lets so many microseconds pass, for stores that are under way, and lets others run
// meanwhile: the processor may be the only one. Nobody can see anything of it, so a victim of
// package test/stepkill, whose every step takes as long, passes over it.
//
//go:noinline
func Bide(micros int) {
	for range micros {
		RelaxMicro()
		Yield()
	}
}

// PerMicro is how many pauses fit in a microsecond: some 7 to 70, measured,
// since processors differ by a factor of ten and virtual machines by more.
var PerMicro = calibrate()

func calibrate() int {
	const n = 64
	best := time.Hour
	for range 5 {
		t := time.Now()
		Relax(n)
		best = min(best, time.Since(t))
	}
	best = max(best, 1)
	return int(min(max(n*time.Microsecond/best, 1), 1000))
}
