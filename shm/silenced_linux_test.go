package shm

import (
	"context"
	"testing"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// A process whose thread is on no robust list dies and tells nobody. The others
// find it out by looking.
func TestSilencedDeathIsFound(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), testproc.Patience)
	defer cancel()
	exits := r.Exits(ctx)
	c := visitor.Start(t, "TANDEM_FORCE=silenced", "--", path)
	c.Line()
	c.Kill()
	for p := range exits {
		if p.PID != c.PID() || p.State != Dead {
			t.Errorf("exit of %+v, want pid %d, dead", p, c.PID())
		}
		for _, q := range r.Participants() {
			if q.PID == c.PID() {
				if v := r.a.rec(uint32(q.Index)).Alive(); v&sys.FutexOwnerDied != 0 {
					t.Errorf("the kernel told of it: the alive word is %#x", v)
				}
			}
		}
		return
	}
	t.Errorf("nobody heard that process %d died, in %v", c.PID(), testproc.Patience)
}
