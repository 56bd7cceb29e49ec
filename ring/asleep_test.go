package ring_test

import (
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// asleep is how many calls of all processes sleep in a region, for whatever.
func asleep(t *testing.T, r *shm.Region) (n int) {
	t.Helper()
	for _, p := range testproc.Get(r.Snapshot())(t).Participants {
		n += p.Asleep
	}
	return n
}

// awaitAsleep waits until so many do, or more.
func awaitAsleep(t *testing.T, r *shm.Region, n int) {
	t.Helper()
	for end := time.Now().Add(testproc.Patience); asleep(t, r) < n; time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("%d calls sleep, want %d", asleep(t, r), n)
		}
	}
}
