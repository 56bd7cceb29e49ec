package step

import (
	"context"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Stage is one death: what the survivors need to set the scene, have the
// victim killed, and look at what is left.
type Stage struct {
	Dir string // an empty directory on shared memory, for this death alone

	t     *testing.T
	op    Op
	kill  func(point) bool
	to    *target
	watch bool
	peers []*Peer

	ready  func()
	victim *child

	died  bool
	ended bool // the victim came through to the end of its operation
	death Death
}

// Die runs a victim, kills it at this stage's point of its operation, and
// returns when nothing of the process is left. Once a stage.
//
// wake is for an operation that blocks: it is called once when the victim is
// found asleep (rarely a little before it is), and must let it go on. Die
// waits for it. nil: a victim that has fallen asleep has come to its end.
func (s *Stage) Die(wake func()) Death {
	s.t.Helper()
	if s.died {
		s.t.Fatal("stepkill: a second Die on one stage")
	}
	s.died = true
	var err error
	onTracer(func() {
		if s.victim, err = spawn(s.op, s.Dir, true); err == nil {
			err = s.victim.begin()
		}
		if err == nil && s.op.guard {
			err = s.victim.stepGuard()
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if s.ready != nil {
		s.ready()
	}
	onTracer(func() {
		var w *watch
		if s.watch {
			w = newWatch(s.Dir)
			defer w.close()
		}
		s.death, s.ended, err = s.victim.walk(s.kill, s.to, w, wake)
		if e := s.victim.kill(); err == nil {
			err = e
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.death
}

// OnReady has Die call f when the victim has prepared, and stands before its
// operation: for what must come after, as a waiter for what it holds.
func (s *Stage) OnReady(f func()) { s.ready = f }

// A Peer is a further process, which runs at full speed.
type Peer struct {
	t  *testing.T
	op Op
	c  *child
}

// Start runs op in a process of its own, which stays after it, holding what it
// holds, until Kill or the end of the stage. It returns when op has returned.
func (s *Stage) Start(op Op) *Peer {
	s.t.Helper()
	p := s.StartBlocked(op)
	p.Wait()
	return p
}

// StartBlocked is Start for an op that blocks: it returns when the peer has
// begun op. Asleep tells when it sleeps.
func (s *Stage) StartBlocked(op Op) *Peer {
	s.t.Helper()
	p := &Peer{t: s.t, op: op}
	var err error
	onTracer(func() { p.c, err = spawn(op, s.Dir, false) })
	if err != nil {
		s.t.Fatal(err)
	}
	s.peers = append(s.peers, p)
	for p.c.board.phase.Load() < running {
		p.alive()
		time.Sleep(100 * time.Microsecond)
	}
	return p
}

// Asleep waits until the peer's operation sleeps in the kernel.
func (p *Peer) Asleep() {
	p.t.Helper()
	for deadline, n := time.Now().Add(limit), 0; n < 3; time.Sleep(500 * time.Microsecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("stepkill: peer %s is not asleep after %v", p.op, limit)
		}
		p.alive()
		if n++; !p.c.sleeps() {
			n = 0
		}
	}
}

// Wait waits until the peer's operation has returned.
func (p *Peer) Wait() {
	p.t.Helper()
	for deadline := time.Now().Add(limit); !p.Returned(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("stepkill: peer %s has not returned after %v", p.op, limit)
		}
	}
}

// Returned reports whether the peer's operation has returned.
func (p *Peer) Returned() bool { p.alive(); return p.c.board.phase.Load() == returned }

// Note is the peer's last [Note].
func (p *Peer) Note() int { return int(p.c.board.note.Load()) }

// Kill ends the peer, and returns when nothing of it is left.
func (p *Peer) Kill() {
	p.t.Helper()
	if err := p.c.kill(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Peer) alive() {
	p.t.Helper()
	if p.c.gone {
		p.t.Fatal("stepkill: the peer has been killed")
	}
	if ws, ok, err := p.c.wait(false); err != nil {
		p.t.Fatal(err)
	} else if ok && p.c.gone {
		p.t.Fatal(p.c.died(ws))
	}
}

// Leave runs op in a process of its own, at full speed, and kills that process
// when op has returned: what it held is what a dead process left.
func (s *Stage) Leave(op Op) {
	s.t.Helper()
	s.Start(op).Kill()
}

func (s *Stage) end() {
	if s.victim != nil {
		s.victim.kill()
		s.victim.free()
	}
	for _, p := range s.peers {
		p.c.kill()
		p.c.free()
	}
	entries, _ := os.ReadDir(s.Dir)
	for _, e := range entries {
		os.RemoveAll(s.Dir + "/" + e.Name())
	}
}

// limit is how long a survivor may take. It bounds a hang, and says nothing of
// speed: a machine may be busy.
const limit = 2 * time.Minute

// Watchdog returns a context for survivors' calls: one that ends has hung.
func Watchdog(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// guarded runs f. If it outlives even the calls that end with a Watchdog,
// the program ends with the stacks of all goroutines, as when a test run's
// -timeout is over.
func guarded(s *Stage, f func()) {
	alarm := time.AfterFunc(2*limit, func() {
		debug.SetTraceback("all")
		panic("stepkill: " + s.op.name + ": survivors hang; the victim died " + s.death.String())
	})
	defer alarm.Stop()
	f()
}

// stageDir makes a directory on shared memory.
func stageDir(t *testing.T) string {
	var fs unix.Statfs_t
	if unix.Statfs("/dev/shm", &fs) != nil || fs.Type != unix.TMPFS_MAGIC {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "tandem-stepkill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
