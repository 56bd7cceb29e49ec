package object

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/wait"
)

// A world is a region with one object, as far as its handles see it.
type world struct {
	*Core
	unused int
	opened func() // runs when the object was opened
}

func newWorld() *world {
	w := &world{Core: &Core{Region: "r", Name: "o", List: wait.NewList(), Gate: new(Gate)}, opened: func() {}}
	w.Closed = w.Gate.Flag()
	w.Unused = func() { w.unused++ }
	return w
}

func (w *world) OpenObject(Spec) (*Core, error) {
	c := w.Handle()
	w.opened()
	return c, nil
}

// gone is what a Close of the region that has ended leaves.
func (w *world) gone() {
	w.Gate.Shut()
	w.Gate.Replace(func() error { return nil })
}

// refused is what one leaves for which there were no zeroes.
func (w *world) refused() {
	w.Gate.Shut()
	w.Gate.Replace(func() error { return errors.New("refused") })
}

type unlock func() error

func (f unlock) Unlock() error { return f() }

// An OpenX that fails has opened nothing, whatever it failed by.
func TestOpenFails(t *testing.T) {
	wild := errors.New("wild")
	for _, tt := range []struct {
		name   string
		opened func(w *world)
		attach error
		want   error
		text   string
	}{
		{"words that are damaged", func(*world) {}, wild, wild, "op r/o: wild"},
		{"zeroes", (*world).gone, wild, ErrClosed, "op r/o: region is closed"},
		{"zeroes that pass", (*world).gone, nil, ErrClosed, "op r/o: region is closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.opened = func() { tt.opened(w) }
			c, err := Open(w, Spec{Op: "op"}, func(*Core) error { return tt.attach })
			if c != nil || !errors.Is(err, tt.want) || err.Error() != tt.text {
				t.Errorf("Open = %v, %v", c, err)
			}
			if w.InUse() || w.unused != 1 {
				t.Errorf("in use %v, said to be unused %d times", w.InUse(), w.unused)
			}
		})
	}
	w := newWorld()
	if c, err := Open(w, Spec{Op: "op"}, func(*Core) error { return nil }); err != nil || !w.InUse() || c.Whole() != w.Core {
		t.Errorf("Open = %v, %v", c, err)
	}
}

// How calls end that a Close comes upon, of the handle or of the region, before
// the zeroes are there or after.
func TestCallsUnderClose(t *testing.T) {
	wrong := errors.New("wrong")
	given, kept := unlock(func() error { return nil }), unlock(func() error { return wrong })
	for _, tt := range []struct {
		name               string
		close              func(w *world, c *Core)
		ready, done        string // of a call, and of one that found something wrong
		still, here        string
		seen, given, stays string // of one that saw something, and that took what it gives back, or cannot
	}{
		{"none", func(*world, *Core) {}, "", "op r/o: wrong", "", "", "", "", ""},
		{"handle", func(w *world, c *Core) { c.Close() },
			"region is closed", "op r/o: the handle is closed", "region is closed", "", "", "op r/o: the handle is closed", "op r/o: the handle is closed"},
		{"region, begun", func(w *world, c *Core) { w.Gate.Shut() },
			"region is closed", "op r/o: region is closed", "", "", "", "op r/o: region is closed", "op r/o: region is closed"},
		{"region", func(w *world, c *Core) { w.gone() },
			"region is closed", "op r/o: region is closed", "region is closed", "region is closed", "region is closed", "op r/o: region is closed", ""},
		{"region, refused", func(w *world, c *Core) { w.refused() },
			"region is closed", "op r/o: region is closed", "region is closed", "region is closed", "region is closed", "op r/o: region is closed", "op r/o: region is closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			c := w.Handle()
			tt.close(w, c)
			did := func() error { return nil }
			for _, call := range []struct {
				name string
				err  error
				want string
			}{
				{"Ready", c.Ready(context.Background()), tt.ready},
				{"Free", c.Free(), tt.ready},
				{"Done", c.Done("op", wrong), tt.done},
				{"Done, with nothing wrong", c.Done("op", nil), ""},
				{"Still", c.Still(did), tt.still},
				{"Here", c.Here(did), tt.here},
				{"Seen", c.Seen(nil), tt.seen},
				{"Locked, and given back", c.Locked("op", nil, given), tt.given},
				{"Locked, and not there to be given back", c.Locked("op", nil, kept), tt.stays},
				{"Locked, with something wrong", c.Locked("op", wrong, given), tt.done},
			} {
				if text(call.err) != call.want {
					t.Errorf("%s = %q, want %q", call.name, text(call.err), call.want)
				}
			}
		})
	}
}

// What a call has changed stands, and what it takes back it takes back, as long as there
// are no zeroes: before Close has come to them, and where they were refused.
func TestEffectsUnderClose(t *testing.T) {
	for name, tt := range map[string]struct {
		close        func(w *world)
		here, region bool
	}{
		"begun":   {func(w *world) { w.Gate.Shut() }, true, true},
		"refused": {(*world).refused, false, true},
		"zeroes":  {(*world).gone, false, false},
	} {
		w, undone := newWorld(), 0
		tt.close(w)
		if here := w.Gate.Here(func() {}); here != tt.here || w.Gate.Stands() != here {
			t.Errorf("%s: Here %v, Stands %v, want %v", name, here, w.Gate.Stands(), tt.here)
		}
		if gave := w.Gate.Gave(func() bool { return true }); gave != tt.region {
			t.Errorf("%s: Gave %v, want %v", name, gave, tt.region)
		}
		if undo := w.Gate.Undo(func() { undone++ }); undo != tt.region || (undone == 1) != tt.region {
			t.Errorf("%s: Undo %v, called %d times, want %v", name, undo, undone, tt.region)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A handle that no OpenX made has no Core, and its calls end all the same.
func TestNoCore(t *testing.T) {
	var c *Core
	if err := c.Done("op", engine.ErrNotLocked); text(err) != "op: not locked" {
		t.Errorf("Done = %v", err)
	}
	if err := c.Locked("op", engine.ErrNotLocked, nil); text(err) != "op: not locked" {
		t.Errorf("Locked = %v", err)
	}
}
