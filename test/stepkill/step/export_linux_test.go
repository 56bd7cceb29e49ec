package step

// RaceEnabled says that this is a build for the race detector, where every
// test of the harness is skipped.
const RaceEnabled = raceEnabled

// CanBreak reports whether victims are let run to a breakpoint.
func CanBreak() (can bool) {
	onTracer(func() { can = canBreak() })
	return can
}
