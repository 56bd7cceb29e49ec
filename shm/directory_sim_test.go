//go:build tandem_sim

package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
)

// With the tag tandem_sim every access to shared memory is a point at which a
// process can die. These tests let a participant die at each point of an
// operation, one after the other; recover it; and see that the next finds a
// whole directory, with the operation done or not done.

type death struct{}

// dies runs f, which dies at its k-th access. It reports false if f was over
// before.
func dies(k int, f func()) (died bool) {
	n := 0
	me := goroutine()
	mem.Point = func() {
		if goroutine() != me {
			return // the garbage collector's, cleaning up after an earlier death
		}
		if n++; n >= k { // and at every one that follows: deferred calls are dead, too
			panic(death{})
		}
	}
	defer func() {
		mem.Point = nil
		if r := recover(); r != nil {
			if _, ok := r.(death); !ok {
				panic(r)
			}
			died = true
		}
	}()
	f()
	return false
}

// goroutine tells the running goroutine from others.
func goroutine() [24]byte {
	var b [24]byte // "goroutine 123 [running]:…"
	runtime.Stack(b[:], false)
	return b
}

var simOps = []struct {
	name string
	op   func(r *Region) error
	may  func(before []string) []string // what else the names may be afterwards
}{
	{"create", func(r *Region) error { _, err := r.OpenObject(sizedSpec("new", 5000)); return err },
		func(b []string) []string { return append(b, "new") }},
	{"open", func(r *Region) error { _, err := r.OpenObject(sizedSpec("a", 5000)); return err },
		func(b []string) []string { return b }},
	{"remove", func(r *Region) error { return r.Remove("b") },
		func(b []string) []string { return without(b, "b") }},
	{"remove what is open", func(r *Region) error { return r.Remove("a") },
		func(b []string) []string { return without(b, "a") }},
	{"check", func(r *Region) error { return r.Check() }, func(b []string) []string { return b }},
}

func without(b []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(b), func(s string) bool { return s == name })
}

func namesOf(r *Region) (names []string) {
	for o := range r.Objects() {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	return names
}

func TestSimDeathInDirectory(t *testing.T) {
	s := newScene(t)
	image := s.image()
	before := namesOf(s.r)
	for _, repairing := range []bool{false, true} {
		for _, tt := range simOps {
			deaths := 0
			for k := 1; ; k++ {
				s.restore(image)
				if repairing { // the operation begins with a repair
					s.abandon(t)
					garble(s.heapRegion, s.g.BucketsOff, s.g.HeapOff-s.g.BucketsOff)
					w := words{region.On(s.Area, s.g)}
					w.BeginChange()
				}
				victim := s.attach(3)
				if !dies(k, func() {
					if err := tt.op(victim); err != nil {
						t.Errorf("%s: %v", tt.name, err)
					}
				}) {
					break
				}
				deaths++
				s.kill(victim)
				survives(t, s, fmt.Sprintf("%s, repairing %v, dead at access %d", tt.name, repairing, k), before, tt.may(slices.Clone(before)))
				if t.Failed() {
					return
				}
			}
			t.Logf("%s, repairing %v: %d deaths survived", tt.name, repairing, deaths)
		}
	}
}

func survives(t *testing.T, s *scene, what string, either, or []string) {
	t.Helper()
	r := s.attach(2)
	r.Remove("no-such") // the next change repairs
	got := namesOf(r)
	slices.Sort(or)
	if !slices.Equal(got, either) && !slices.Equal(got, or) {
		t.Errorf("%s: objects %v, want %v or %v", what, got, either, or)
	}
	if err := r.Check(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	for _, name := range []string{"a", "b", "c", "new", "newer"} {
		c, err := r.OpenObject(sizedSpec(name, 700))
		if err != nil {
			t.Errorf("%s: open %s: %v", what, name, err)
			continue
		}
		c.KeepAlive()
	}
	if err := r.Remove("c"); err != nil {
		t.Errorf("%s: remove: %v", what, err)
	}
	if err := r.Remove("c"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: a second remove: %v", what, err)
	}
	if err := r.Check(); err != nil {
		t.Errorf("%s: afterwards: %v", what, err)
	}
	for _, c := range s.held {
		for i, b := range c.Area.Bytes(128, c.Area.Size()-128) {
			if b != 0x5a {
				t.Fatalf("%s: byte %d of %s, which is open, is %#x", what, i, c.Name, b)
			}
		}
	}
	r.a.gate.Shut()
}

// Recovery dies, too, at each of its accesses, and is done again.
func TestSimDeathInRecovery(t *testing.T) {
	s := newScene(t)
	image := s.image()
	before := namesOf(s.r)
	for k := 1; ; k++ {
		s.restore(image)
		victim := s.attach(3)
		openOK(t, victim, lockOf("b"))
		if !dies(60, func() { victim.OpenObject(sizedSpec("new", 100)) }) {
			t.Fatal("the victim outlived its operation")
		}
		if !dies(k, func() { s.kill(victim) }) {
			break
		}
		s.kill(victim)
		survives(t, s, fmt.Sprintf("recovery dead at access %d", k), before, append(slices.Clone(before), "new"))
		if t.Failed() {
			return
		}
	}
}
