package mem

import (
	"testing"
	"time"
)

func TestRelaxMicro(t *testing.T) {
	best := time.Hour
	for range 1000 {
		start := time.Now()
		RelaxMicro()
		best = min(best, time.Since(start))
	}
	t.Logf("%d pauses take %v", PerMicro, best)
	if best > 10*time.Microsecond {
		t.Errorf("RelaxMicro takes %v: a stop-the-world waits that long", best)
	}
	Relax(0)
	Relax(1)
}

func BenchmarkFence(b *testing.B) {
	for b.Loop() {
		FenceLoad()
		FenceStore()
	}
}
