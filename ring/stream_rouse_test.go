package ring

import (
	"testing"
	"time"

	"example.com/tandem/shm/shmtest"
)

// A new deadline is told to who waits for bytes, or for room, and not only found at its next
// look (O2).
func TestStreamDeadlineRouses(t *testing.T) {
	p := NewStreamPair(t, shmtest.Region(t), 4096)
	defer p.Dialer.Close()
	defer p.Acceptor.Close()
	for _, h := range []*streamHalf{&p.Dialer.end.in, &p.Dialer.end.out} {
		for _, waits := range []bool{false, true} {
			h.waits.Store(waits)
			h.over.Store(false)
			if err := p.Dialer.SetDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if told := h.over.Load(); told != waits {
				t.Errorf("somebody waits %v, and is told %v", waits, told)
			}
		}
		h.waits.Store(false)
	}
}
