//go:build race

package waitany

const raceEnabled = true
