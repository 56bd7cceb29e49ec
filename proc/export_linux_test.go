package proc

import "time"

// SetOutputDelay changes it and returns what puts it back.
func SetOutputDelay(d time.Duration) (restore func()) {
	old := outputDelay
	outputDelay = d
	return func() { outputDelay = old }
}
