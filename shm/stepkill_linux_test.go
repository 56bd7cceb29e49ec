//go:build linux

package shm_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
	"example.com/tandem/test/stepkill/step"
)

// Victims are killed after every instruction of what this package does.

func init() { step.Main() } // TestMain is that of the tests inside the package

var stepOptions = shm.Options{Size: 4 << 20, Participants: 4, Objects: 6}

func stepRegion(dir string) string { return filepath.Join(dir, "region") }

// mutexSpec is an object to be made and opened: a mutex, and memory behind it
// so that it takes extents of its own.
func mutexSpec(name string) object.Spec {
	return object.Spec{Op: "test.Open", Kind: engine.KindMutex, Name: name,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.MutexSize, engine.InitMutex, nil
		}}
}

// openMutex opens the mutex, or makes it.
func openMutex(r *shm.Region, name string) (*engine.Mutex, *object.Core, error) {
	core, err := r.OpenObject(mutexSpec(name))
	if err != nil {
		return nil, nil, err
	}
	m, err := engine.AttachMutex(core.Area, core.Env)
	return m, core, err
}

func lockMutex(r *shm.Region, name string) error {
	m, core, err := openMutex(r, name)
	if err != nil {
		return err
	}
	if ok, err := m.TryLock(); !ok || err != nil {
		return fmt.Errorf("TryLock = %v, %v", ok, err)
	}
	kept = append(kept, core)
	return nil
}

var kept []any // what a victim holds must not be collected

// mustOpen opens the stage's region for a survivor.
func mustOpen(t *testing.T, dir string) *shm.Region {
	t.Helper()
	r, err := shm.Open(stepRegion(dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func mustCreate(t *testing.T, dir string, o shm.Options) *shm.Region {
	t.Helper()
	r, err := shm.Create(stepRegion(dir), &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// sound checks that a region is whole, and that nothing of it was lost: the
// dead one's record comes back, and all entries and the heap can be had.
// It closes r.
func sound(t *testing.T, dir string, r *shm.Region) {
	t.Helper()
	alone(t, r)
	for i := range 2 { // twice: what was made is removed without loss
		r.Close() // and with it every handle, at once
		r = mustOpen(t, dir)
		have := len(slices.Collect(r.Objects()))
		var names []string
		for k := range stepOptions.Objects - have {
			names = append(names, fmt.Sprintf("fill-%d-%d", i, k))
			if _, _, err := openMutex(r, names[k]); err != nil {
				t.Fatalf("object %d beside %d: %v", k, have, err)
			}
		}
		if err := r.Check(); err != nil {
			t.Errorf("Check = %v", err)
		}
		for _, n := range names {
			if err := r.Remove(n); err != nil {
				t.Error(err)
			}
		}
	}
	alone(t, r)
	r.Close()
}

// alone waits until nobody but this process is attached, and checks.
func alone(t *testing.T, r *shm.Region) {
	t.Helper()
	for ctx := stepkill.Watchdog(t); len(r.Participants()) != 1; time.Sleep(200 * time.Microsecond) {
		if ctx.Err() != nil {
			t.Fatalf("participants after a death: %+v", r.Participants())
		}
	}
	if err := r.Check(); err != nil {
		t.Errorf("Check = %v", err)
	}
}

// warm does once what the first region of a process does beside its own work.
func warm() error {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r, err := shm.Create(stepRegion(dir), &stepOptions)
	if err != nil {
		return err
	}
	if err := r.Close(); err != nil {
		return err
	}
	if r, err = shm.Open(stepRegion(dir), nil); err != nil {
		return err
	}
	return errors.Join(lockMutex(r, "m"), r.Remove("m"), r.Close(), shm.Remove(stepRegion(dir)))
}

var stepCreate = step.Register("shm/create", func(dir string) (func() error, error) {
	return func() error {
		r, err := shm.Create(stepRegion(dir), &stepOptions)
		kept = append(kept, r)
		return err
	}, warm()
})

// TestCreateKilledAnywhere: a region is there whole, or not at all.
func TestCreateKilledAnywhere(t *testing.T) {
	step.Every(t, stepCreate, func(t *testing.T, s *step.Stage) {
		d := s.Die(nil)
		names, err := os.ReadDir(s.Dir)
		if err != nil {
			t.Fatal(err)
		}
		r, err := shm.Open(stepRegion(s.Dir), nil)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if d.Returned || len(names) != 0 {
				t.Errorf("died %v, directory %v: Open = %v", d, names, err)
			}
			if r, err = shm.Create(stepRegion(s.Dir), &stepOptions); err != nil {
				t.Fatal(err)
			}
		case err != nil:
			t.Fatal(err)
		case len(names) != 1:
			t.Errorf("directory %v, want the region alone", names)
		}
		defer r.Close()
		sound(t, s.Dir, r)
	})
}

var stepOpen = step.Register("shm/open", func(dir string) (func() error, error) {
	return func() error {
		r, err := shm.Open(stepRegion(dir), nil)
		kept = append(kept, r)
		return err
	}, warm()
})

// TestOpenKilledAnywhere: whoever dies while it attaches leaves no record.
func TestOpenKilledAnywhere(t *testing.T) {
	step.Every(t, stepOpen, func(t *testing.T, s *step.Stage) {
		r := mustCreate(t, s.Dir, stepOptions)
		s.Die(nil)
		sound(t, s.Dir, r)
	})
}

var stepClose = step.Register("shm/close", func(dir string) (func() error, error) {
	if err := warm(); err != nil {
		return nil, err
	}
	r, err := shm.Open(stepRegion(dir), nil)
	if err != nil {
		return nil, err
	}
	return r.Close, lockMutex(r, "m")
})

// TestCloseKilledAnywhere: a death in an orderly one.
func TestCloseKilledAnywhere(t *testing.T) {
	step.Every(t, stepClose, func(t *testing.T, s *step.Stage) {
		r := mustCreate(t, s.Dir, stepOptions)
		m, core, err := openMutex(r, "m")
		if err != nil {
			t.Fatal(err)
		}
		s.Die(nil)
		w := core.Waiter(stepkill.Watchdog(t))
		defer w.Done()
		if err := m.Lock(w); !errors.Is(err, shm.ErrOwnerDied) {
			t.Errorf("Lock of what a closed or dead one held = %v", err)
		}
		if suspect, err := m.Recover(w); !suspect || err != nil {
			t.Errorf("Recover = %v, %v", suspect, err)
		}
		if err := errors.Join(m.MarkConsistent(), m.Unlock()); err != nil {
			t.Error(err)
		}
		sound(t, s.Dir, r)
	})
}

var stepMake = stepkill.Register("shm/make-object", func(r *shm.Region) (func() error, error) {
	return func() error { _, c, err := openMutex(r, "new"); kept = append(kept, c); return err }, warm()
})

var stepFind = stepkill.Register("shm/open-object", func(r *shm.Region) (func() error, error) {
	return func() error { _, c, err := openMutex(r, "old"); kept = append(kept, c); return err }, warm()
})

var stepUnlink = stepkill.Register("shm/remove-object", func(r *shm.Region) (func() error, error) {
	return func() error { return r.Remove("old") }, warm()
})

// TestObjectsKilledAnywhere: the directory is whole after every death in it.
// "gone" is removed and waits for the next creator to take its memory back.
func TestObjectsKilledAnywhere(t *testing.T) {
	for _, op := range step.Some(t, stepMake, stepFind, stepUnlink) {
		t.Run(filepath.Base(op.String()), func(t *testing.T) {
			step.Every(t, op, func(t *testing.T, s *step.Stage) {
				r := mustCreate(t, s.Dir, stepOptions)
				for _, name := range []string{"gone", "old", "other"} {
					if err := lockMutex(r, name); err != nil {
						t.Fatal(err)
					}
				}
				kept = nil
				if err := r.Remove("gone"); err != nil {
					t.Fatal(err)
				}
				d := s.Die(nil)
				var names []string
				for o := range r.Objects() {
					names = append(names, o.Name)
				}
				slices.Sort(names)
				with := func(more ...string) bool {
					want := append(more, "other")
					slices.Sort(want)
					return slices.Equal(names, want)
				}
				var ok bool
				switch op {
				case stepMake:
					ok = with("new", "old") || !d.Returned && with("old")
				case stepFind:
					ok = with("old")
				case stepUnlink:
					ok = with() || !d.Returned && with("old")
				}
				if !ok {
					t.Errorf("objects after a death %v: %v", d, names)
				}
				// The victim had "new" free, the survivor holds the others.
				m, core, err := openMutex(r, "new")
				if err != nil {
					t.Fatal(err)
				}
				w := core.Waiter(stepkill.Watchdog(t))
				defer w.Done()
				if err := errors.Join(m.Lock(w), m.Unlock()); err != nil {
					t.Error(err)
				}
				if len(names) > 0 && slices.Contains(names, "old") {
					m, _, err := openMutex(r, "old")
					if err != nil {
						t.Fatal(err)
					}
					if err := m.Unlock(); err != nil {
						t.Errorf("Unlock of what this process holds = %v", err)
					}
				}
				sound(t, s.Dir, r)
			})
		})
	}
}

var stepRemove = step.Register("shm/remove", func(dir string) (func() error, error) {
	return func() error { return shm.Remove(stepRegion(dir)) }, warm()
})

// TestRemoveKilledAnywhere: the name is free, or still the old region's.
func TestRemoveKilledAnywhere(t *testing.T) {
	step.Every(t, stepRemove, func(t *testing.T, s *step.Stage) {
		old := mustCreate(t, s.Dir, stepOptions)
		d := s.Die(nil)
		r, err := shm.OpenOrCreate(stepRegion(s.Dir), &stepOptions)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if d.Returned && r.Self() == old.Self() {
			t.Error("the removed region still has its name")
		}
		alone(t, old)
		old.Close() // the same attachment as r, if the name is still there
		sound(t, s.Dir, r)
	})
}

var stepLast = step.Register("shm/close-ephemeral", func(dir string) (func() error, error) {
	if err := warm(); err != nil {
		return nil, err
	}
	o := stepOptions
	o.Ephemeral = true
	r, err := shm.Create(stepRegion(dir), &o)
	if err != nil {
		return nil, err
	}
	return r.Close, nil
})

// TestEphemeralKilledAnywhere: with its last participant the region is gone,
// however that one went.
func TestEphemeralKilledAnywhere(t *testing.T) {
	step.Every(t, stepLast, func(t *testing.T, s *step.Stage) {
		s.Die(nil)
		if r, err := shm.Open(stepRegion(s.Dir), nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open = %v, %v; want fs.ErrNotExist", r, err)
		}
		r := mustCreate(t, s.Dir, stepOptions)
		sound(t, s.Dir, r)
	})
}
