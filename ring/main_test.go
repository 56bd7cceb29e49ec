package ring_test

import (
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

func TestMain(m *testing.M) { testproc.Main(m) }

// region is a new region, which is checked when the test ends.
func region(t testing.TB) *shm.Region { return shmtest.Region(t) }

func open[T any](t testing.TB, r *shm.Region, name string, o *ring.QueueOptions) *ring.Queue[T] {
	t.Helper()
	q, err := ring.OpenQueue[T](r, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

var watchdog = testproc.Watchdog
