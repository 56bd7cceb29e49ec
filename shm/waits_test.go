package shm

import (
	"math/rand/v2"
	"strings"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

// Whatever is in the table, a snapshot shows what it can, and Check says that
// it is wrong.
func TestWaitsDamaged(t *testing.T) {
	h := newHeapRegion(t, 1<<20, 3, 16)
	r := h.attach(0)
	other := h.attach(1)
	testproc.Get(r.OpenObject(lockOf("a")))(t)
	w := words{region.On(h.Area, h.g)}
	slot := func(p uint32, i uint64) *uint64 { return h.W64(h.g.WaitsAt(p) + region.WaitsSlots + i*region.SlotSize) }
	at := func(p uint32, i uint64) *uint64 {
		return h.W64(h.g.WaitsAt(p) + region.WaitsSlots + i*region.SlotSize + region.SlotSince)
	}
	e, _ := w.Steady(0)

	set := func(calls int, off uint64) { mem.Store64(slot(1, 30), uint64(calls)<<region.WaitOffsetBits|off) }
	for _, tt := range []struct {
		name    string
		calls   int
		off     uint64
		sound   bool
		waits   int // on the object
		dir     int // on the directory's lock
		unshown int
	}{
		{"the object's first word", 3, e.Off, true, 3, 0, 0},
		{"its last", 1, e.Off + e.Size - 4, true, 1, 0, 0},
		{"behind it", 1, e.Off + e.Size, true, 0, 0, 1},
		{"before all", 2, 0, true, 0, 0, 2},
		{"the directory's lock", 2, region.HdrDirLock, true, 0, 2, 0},
		{"behind that", 2, region.HdrDirLock + 128, true, 0, 0, 2},
		{"the region's last word", 2, h.g.Size - 4, true, 0, 0, 2},
		{"behind the region", 2, h.g.Size, false, 0, 0, 0},
		{"across its end", 2, h.g.Size - 3, false, 0, 0, 0},
		{"as far as can be", region.WaitCallsMax, 1<<region.WaitOffsetBits - 1, false, 0, 0, 0},
		{"no word", 1, e.Off + 1, false, 1, 0, 0},
		{"nobody", 0, e.Off, false, 0, 0, 0},
		{"free", 0, 0, true, 0, 0, 0},
	} {
		set(tt.calls, tt.off)
		s := testproc.Get(r.Snapshot())(t)
		n, dir := 0, 0
		for _, h := range s.Objects[0].Waits {
			n += h.N
		}
		for _, h := range s.Directory.Waits {
			dir += h.N
		}
		if n != tt.waits || dir != tt.dir || s.Participants[1].Unshown != tt.unshown {
			t.Errorf("%s: %d wait for the object, %d for the directory, %d for nobody knows what; want %d, %d, %d",
				tt.name, n, dir, s.Participants[1].Unshown, tt.waits, tt.dir, tt.unshown)
		}
		if err := r.Check(); (err == nil) != tt.sound || err != nil && !strings.Contains(err.Error(), "participant 1: ") {
			t.Errorf("%s: Check = %v, sound %v", tt.name, err, tt.sound)
		}
	}

	set(1, e.Off)
	for _, since := range []uint64{0, 1, 1 << 62, 1 << 63, ^uint64(0)} { // no time, or none that can be
		mem.Store64(at(1, 30), since)
		s := testproc.Get(r.Snapshot())(t)
		if since != 1 && !s.Objects[0].Waits[0].Since.IsZero() {
			t.Errorf("since %#x: %v", since, s.Objects[0].Waits[0].Since)
		}
	}

	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		for p := range uint32(3) {
			for off := uint64(0); off < region.WaitsSize; off += 8 {
				mem.Store64(h.W64(h.g.WaitsAt(p)+off), rnd.Uint64()>>rnd.IntN(64))
			}
		}
		s := testproc.Get(r.Snapshot())(t)
		if s.String() == "" || len(s.Objects) != 1 {
			t.Fatal("an object is gone")
		}
		r.Check()
	}
	h.kill(other)
	h.attach(1)
	if s := testproc.Get(r.Snapshot())(t); s.Participants[1].Asleep != 0 {
		t.Errorf("who has just attached has %d calls asleep", s.Participants[1].Asleep)
	}
}
