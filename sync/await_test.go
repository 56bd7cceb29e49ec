package sync_test

import (
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// awaitAlone waits until nobody is attached but n processes.
func awaitAlone(t *testing.T, r *shm.Region, n int) {
	t.Helper()
	for start := time.Now(); len(r.Participants()) > n; time.Sleep(100 * time.Microsecond) {
		if time.Since(start) > testproc.Patience {
			t.Fatalf("a dead process is not recovered: %v", r.Participants())
		}
	}
}

// soon is for what shall take at most 20 ms.
func soon(t *testing.T, f func() time.Duration) {
	t.Helper()
	effort.Median(t, 20*time.Millisecond, 20, f)
}
