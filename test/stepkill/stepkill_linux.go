package stepkill

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill/step"
)

// An Op is an operation that a victim runs, and a Death where it was killed.
type (
	Op    = step.Op
	Death = step.Death
	Peer  = step.Peer
)

// Main runs the victim's part, and does not return, in a process that this
// package started. In any other it returns at once. Call it first in TestMain,
// or in an init function of the test file.
func Main() { step.Main() }

// Note leaves n for [Death].Note, from within an operation: how far it is.
func Note(n int) { step.Note(n) }

// Pick is for what it is enough to try in one of n ways in an ordinary run: see
// [step.Pick].
func Pick(t *testing.T, name string, n int) (i int, all bool) {
	t.Helper()
	return step.Pick(t, name, n)
}

// Some is for several ways of which it is enough to try a third in an ordinary run: see
// [step.Some].
func Some[T any](t *testing.T, ways ...T) []T {
	t.Helper()
	return step.Some(t, ways...)
}

// Watchdog returns a context for survivors' calls: one that ends has hung.
func Watchdog(t testing.TB) context.Context { return step.Watchdog(t) }

// kept are the victim's regions: what prepare opened must not be collected.
var kept []*shm.Region

// Register names an operation; call it at package level. In the victim prepare
// gets the stage's region, does what shall not be stepped, and returns the
// operation. An error of either is a failed test.
func Register(name string, prepare func(r *shm.Region) (run func() error, err error)) Op {
	return step.Register(name, func(dir string) (func() error, error) {
		r, err := shm.Open(Path(dir), nil)
		if err != nil {
			return nil, err
		}
		kept = append(kept, r)
		return prepare(r)
	})
}

// Rehearsal is the name of what [Rehearsed] rehearses on.
const Rehearsal = "rehearsal"

// Rehearsed is Register, of what is done to the one object of a name. prepare
// gets that name, too. Before, it gets the name Rehearsal, and what it returns
// is run once and not stepped: so what only a process's first time does, of the
// runtime and of this library, is no instruction to die at.
func Rehearsed(op, name string, prepare func(r *shm.Region, name string) (run func() error, err error)) Op {
	return Register(op, func(r *shm.Region) (func() error, error) {
		rehearse, err := prepare(r, Rehearsal)
		if err == nil {
			err = rehearse()
		}
		if err != nil {
			return nil, err
		}
		return prepare(r, name)
	})
}

// RegisterGuard names what the guard of a process does that has opened the
// stage's region: the recovery of the dead. prepare opens what the victim
// shall have open. See [step.RegisterGuard].
func RegisterGuard(name string, prepare func(r *shm.Region) error) Op {
	return step.RegisterGuard(name, func(dir string) error {
		r, err := shm.Open(Path(dir), nil)
		if err != nil {
			return err
		}
		kept = append(kept, r)
		return prepare(r)
	})
}

// RegisterOpen names the opening of the stage's region, and with it the
// recovery of the dead where they have all the records.
func RegisterOpen(name string) Op {
	return step.Register(name, func(dir string) (func() error, error) {
		kept = make([]*shm.Region, 1)
		return func() (err error) {
			kept[0], err = shm.Open(Path(dir), nil)
			return err
		}, nil
	})
}

// Path is the name of the region in a stage's directory.
func Path(dir string) string { return filepath.Join(dir, "region") }

// A Stage is one death: see [step.Stage] for what it can do.
type Stage struct {
	*step.Stage
	Region *shm.Region // new, with nothing in it, and opened by this process
}

// Options are those of the regions that Every makes: small, since the harness
// looks at all their bytes after each step.
var Options = shm.Options{Size: 8 << 20, Participants: 8, Objects: 16}

// Every has a victim die at every point of op. For each death it makes a
// region and calls survivor, which puts into it what the operation needs,
// calls s.Die, and then checks that the survivors can go on and that nothing
// that was promised is lost. At last the region's own Check must find nothing
// wrong.
func Every(t *testing.T, op Op, survivor func(t *testing.T, s *Stage)) {
	t.Helper()
	force(t)
	step.Every(t, op, func(t *testing.T, st *step.Stage) {
		o := Options
		r, err := shm.Create(Path(st.Dir), &o)
		if err != nil {
			t.Fatal(err)
		}
		defer finish(t, r)
		survivor(t, &Stage{st, r})
	})
}

// EveryRecovery is Every for what becomes of a region in which nobody lives:
// op is of [RegisterOpen] or [RegisterGuard], and recovers what others left.
// scene is called with a new region that has so many records, and puts into it
// what it needs; it is then closed. In another process the operation leave is
// done, and that process is killed: with RegisterGuard, when the victim is
// attached and its guard hears of it. Then the victim dies; survivor gets the
// region, opened anew, and whatever the victim had not recovered by then is.
func EveryRecovery(t *testing.T, op Op, records int, scene func(t *testing.T, r *shm.Region), leave Op, survivor func(t *testing.T, r *shm.Region, d Death)) {
	t.Helper()
	force(t)
	step.Every(t, op, func(t *testing.T, st *step.Stage) {
		o := Options
		o.Participants = records
		r, err := shm.Create(Path(st.Dir), &o)
		if err != nil {
			t.Fatal(err)
		}
		scene(t, r)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		p := st.Start(leave)
		if op.Guard() {
			st.OnReady(p.Kill)
		} else {
			p.Kill()
		}
		d := st.Die(nil)
		if r, err = shm.Open(Path(st.Dir), nil); err != nil {
			t.Fatal(err)
		}
		defer finish(t, r)
		survivor(t, r, d)
	})
}

// force keeps victims and peers from looking again by themselves: a wake-up
// that died with the victim is found missing. What is copied is not stepped through byte by
// byte. And unless every instruction is asked
// for they do not spin before they sleep: that is most of what a waiter executes, and
// others see nothing of it.
func force(t *testing.T) {
	f := os.Getenv("TANDEM_FORCE") + ",norelook,nostrings"
	if os.Getenv("TANDEM_STEPKILL") != "all" {
		f += ",nospin"
	}
	t.Setenv("TANDEM_FORCE", strings.TrimPrefix(f, ","))
}

func finish(t *testing.T, r *shm.Region) {
	if err := r.Check(); err != nil {
		t.Errorf("Check = %v", err)
	}
	if t.Failed() {
		logSnapshot(t, r)
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

func logSnapshot(t *testing.T, r *shm.Region) {
	s, err := r.Snapshot()
	if err != nil {
		t.Logf("Snapshot = %v", err)
		return
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Logf("snapshot: %v", err)
		return
	}
	t.Logf("the region:\n%s", b)
}
