package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// A region on its way stays until whoever has the descriptor has closed it, and
// goes with the last.
func TestHandOn(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, ephemeral))(t)
	id := r.a.id
	p := testproc.Get(r.HandOn())(t)
	if p.Key.ID != id || p.Key != r.a.key() || p.Name != path || p.ReadOnly {
		t.Errorf("%+v", p)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	p.End() // too early
	in := testproc.Get(OpenFile(p.File, nil))(t)
	if in.a.id != id {
		t.Errorf("in region %v, want %v", in.a.id, id)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if again := testproc.Get(Open(path, nil))(t); again.a.id != id {
		t.Errorf("in region %v, want %v", again.a.id, id)
	} else if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	dup := testproc.Get(sys.Dup(p.File))(t) // as a child has it
	p.File.Close()
	if p.End(); !isNamed(path, in.a.file) {
		t.Error("it ended while a descriptor was on its way")
	}
	dup.Close()
	p.End()
	gone(t, path)
	if _, err := r.HandOn(); !errors.Is(err, ErrClosed) {
		t.Errorf("HandOn after Close = %v, want ErrClosed", err)
	}
}

// Others live in it: the end of a passage is not theirs.
func TestHandOnBesideOthers(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, ephemeral))(t)
	p := testproc.Get(r.HandOn())(t)
	c := guest.Start(t, path)
	c.Expect(fmt.Sprint(r.a.id))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	p.File.Close()
	if p.End(); !isNamed(path, r.a.file) {
		t.Error("the region of a living process has lost its name")
	}
	c.Say("go")
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	gone(t, path)
}

// Neither a name that was taken away nor one that another has by now matters.
func TestHandOnWithoutAName(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, ephemeral))(t)
	if err := Remove(path); err != nil {
		t.Fatal(err)
	}
	second := testproc.Get(Create(path, ephemeral))(t)
	p := testproc.Get(r.HandOn())(t)
	id := r.a.id
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	in := testproc.Get(OpenFile(p.File, nil))(t)
	if in.a.id != id {
		t.Errorf("in region %v, want %v", in.a.id, id)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	dup := testproc.Get(sys.Dup(p.File))(t)
	defer dup.Close()
	p.File.Close()
	if p.End(); !isNamed(path, second.a.file) {
		t.Error("a successor lost its name")
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, path)
}

// The file was elsewhere for a moment, so that it was not found by its name: the
// share on its way is none of this process's own, and goes without it.
func TestHandOnOfAMovedFile(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, ephemeral))(t)
	if err := os.Rename(path, path+"-away"); err != nil {
		t.Fatal(err)
	}
	p := testproc.Get(r.HandOn())(t)
	if err := os.Rename(path+"-away", path); err != nil {
		t.Fatal(err)
	}
	p.File.Close()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, path)
}

// Who only looks keeps no region alive.
func TestHandOnReadOnly(t *testing.T) {
	path := testPath(t)
	c := sender.Start(t, path)
	c.Line()
	ro := testproc.Get(Open(path, &Options{ReadOnly: true}))(t)
	defer ro.Close()
	p := testproc.Get(ro.HandOn())(t)
	defer p.File.Close()
	if !p.ReadOnly {
		t.Errorf("%+v", p)
	}
	c.Say("go")
	c.Expect("closed")
	gone(t, path)
	if err := closed(OpenFile(p.File, &Options{ReadOnly: true})); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenFile of what has ended = %v, want fs.ErrNotExist", err)
	}
}

// A copy of a region's file has its id. Each is found by its file, detached
// alone, and never taken for the other; who knows no more than the id finds none
// of two.
func TestTwoOfOneID(t *testing.T) {
	path := newRegionFile(t)
	copied := filepath.Join(filepath.Dir(path), "copy")
	if err := os.WriteFile(copied, testproc.Get(os.ReadFile(path))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	one, two := testproc.Get(Open(path, nil))(t), testproc.Get(Open(copied, nil))(t)
	for _, r := range []*Region{one, two} {
		var arrived Region
		if err := arrived.UnmarshalBinary(testproc.Get(r.MarshalBinary())(t)); err != nil || arrived.a != r.a {
			t.Errorf("a handle on %s is on %s, %v", r.Name(), arrived.Name(), err)
		}
		arrived.Close()
	}
	byID := testproc.Get(object.Ref{Region: one.a.id}.Marshal())(t)
	if err := new(Region).UnmarshalBinary(byID); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("by the id alone = %v, want fs.ErrInvalid", err)
	}
	if err := Detach(one.a.key()); err != nil {
		t.Error(err)
	}
	if _, err := one.File(); !errors.Is(err, ErrClosed) {
		t.Errorf("File after Detach = %v, want ErrClosed", err)
	}
	if f, err := two.File(); err != nil {
		t.Errorf("File of the copy after Detach = %v", err)
	} else {
		f.Close()
	}
	stray := testproc.Get(object.Ref{}.On(one.a.key()).Marshal())(t)
	if err := new(Region).UnmarshalBinary(stray); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), copied) {
		t.Errorf("a handle where only a copy of its region is open = %v, want fs.ErrNotExist that names the copy", err)
	}
	var back Region
	if err := back.UnmarshalBinary(byID); err != nil || back.a != two.a {
		t.Errorf("by the id alone, of one: %s, %v", back.Name(), err)
	}
	back.Close()
	if err := Detach(two.a.key()); err != nil {
		t.Error(err)
	}
	opened := make(chan error, 2)
	for _, name := range []string{path, copied} {
		go func() { opened <- closed(Open(name, nil)) }()
	}
	for range 2 {
		select {
		case err := <-opened:
			if err != nil {
				t.Error(err)
			}
		case <-deadline(t).Done():
			t.Fatal("Open waits for a Close that is over")
		}
	}
}
