package shm

import (
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/wait"
)

// A region says whether those who sleep make the fences of those who publish: where
// the system can. Then a process in it is soon reached by them; in another one no
// fence is left to others.
func TestUnfenced(t *testing.T) {
	r, err := Anonymous(&Options{Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := r.a
	s := testproc.Get(r.Snapshot())(t)
	if can := wait.FencesOthers(); s.Region.Unfenced != can || strings.Contains(s.String(), "unfenced") != can {
		t.Errorf("the system can: %v; the region says %v, and %q", can, s.Region.Unfenced, s.String())
	}
	if s.Region.Unfenced {
		for ctx := testproc.Watchdog(t); !a.env.Unfenced.Load(); time.Sleep(time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatal("no membarriers reach it")
			}
		}
		if !a.env.Sync() {
			t.Error("no fences, and the region says so")
		}
	}
	plain := &attachment{}
	v := regionFile{f: a.fd, h: region.Header{Geometry: a.Geo}}
	v.h.Flags &^= region.FlagUnfenced
	if err := plain.init(v, true); err != nil {
		t.Fatal(err)
	}
	if plain.env.Sync != nil || plain.env.Unfenced != nil {
		t.Error("fences are left to others in a region that does not say so")
	}
}
