package step

// RaceEnabled says that this is a build for the race detector, where every
// test of the harness is skipped.
const RaceEnabled = raceEnabled
