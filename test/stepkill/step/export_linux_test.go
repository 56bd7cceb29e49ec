package step

// RaceEnabled says that this is a build for the race detector, where every
// test of the harness is skipped.
const RaceEnabled = raceEnabled

// CanBreak reports whether victims are let run to a breakpoint.
func CanBreak() (can bool) {
	onTracer(func() { can = canBreak() })
	return can
}

// KnowsWrites says that a load is known from a store.
const KnowsWrites = knowsWrites
