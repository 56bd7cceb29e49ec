package step

import "runtime"

// RaceEnabled says that this is a build for the race detector, where every
// test of the harness is skipped.
const RaceEnabled = raceEnabled

// CanBreak says that victims are let run to a breakpoint.
const CanBreak = runtime.GOARCH == "amd64"
