package atomics_test

import (
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

func TestMain(m *testing.M) { testproc.Main(m) }

// region is a new region, which is checked when the test ends.
func region(t testing.TB) *shm.Region { return shmtest.Region(t) }
