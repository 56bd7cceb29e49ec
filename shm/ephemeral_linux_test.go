package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

var ephemeral = &Options{Size: 1 << 20, Ephemeral: true}

// guest: path. Opens it, says its id, and stays until it is told to go.
var guest = testproc.Role("guest", func(args []string) {
	r, err := Open(args[0], nil)
	if err != nil {
		testproc.Say(err)
		return
	}
	testproc.Say(r.a.id)
	testproc.Hear()
	testproc.Must(r.Close())
})

func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", path, err)
	}
}

func TestEphemeralEndsWithItsLast(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, ephemeral))(t)
	id := fmt.Sprint(r.a.id)
	again := testproc.Get(Open(path, nil))(t)
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	c := guest.Start(t, path)
	c.Expect(id)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	ro := testproc.Get(Open(path, &Options{ReadOnly: true}))(t)
	defer ro.Close()
	r = testproc.Get(OpenOrCreate(path, nil))(t)
	if fmt.Sprint(r.a.id) != id {
		t.Error("the region ended with a participant in it")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c.Say("go")
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	gone(t, path)
	if err := closed(Open(path, nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open = %v, want fs.ErrNotExist", err)
	}
}

// What a killed process leaves does not exist, for anybody, and is swept.
func TestEphemeralOfTheKilled(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sweep func(dir, path string) error
	}{
		{"Open", func(dir, path string) error {
			if err := closed(Open(path, nil)); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("Open = %v", err)
			}
			return nil
		}},
		{"Create", func(dir, path string) error {
			r, err := Create(path, ephemeral)
			if err != nil {
				return err
			}
			return r.Close()
		}},
		{"OpenOrCreate", func(dir, path string) error {
			r, err := OpenOrCreate(path, ephemeral)
			if err != nil {
				return err
			}
			if n := r.Self().Epoch; n != 1 {
				return fmt.Errorf("epoch %d: the dead region was revived", n)
			}
			return r.Close()
		}},
		{"Remove", func(dir, path string) error { return Remove(path) }},
		{"Open of another", func(dir, path string) error {
			if err := closed(Open(path+"-other", nil)); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("Open = %v", err)
			}
			return nil
		}},
		{"Create of another", func(dir, path string) error {
			r, err := Create(path+"-other", ephemeral)
			if err != nil {
				return err
			}
			return r.Close()
		}},
		{"List", func(dir, path string) error {
			infos, err := List()
			if len(infos) != 0 {
				return fmt.Errorf("List = %+v", infos)
			}
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := testPath(t)
			t.Setenv("TANDEM_DIR", filepath.Dir(path))
			r := testproc.Get(Create(path, ephemeral))(t)
			f := testproc.Get(r.File())(t)
			defer f.Close()
			c := guest.Start(t, path)
			c.Expect(fmt.Sprint(r.a.id))
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			c.Kill()
			if _, err := os.Stat(path); err != nil {
				t.Fatalf("nobody was there to unlink it, and yet: %v", err)
			}
			haveSwept(filepath.Dir(path), true)
			if err := closed(Open(path, &Options{ReadOnly: true})); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Open read-only = %v, want fs.ErrNotExist", err)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("a read-only Open changed the directory: %v", err)
			}
			haveSwept(filepath.Dir(path), false)
			if err := tt.sweep(filepath.Dir(path), path); err != nil {
				t.Error(err)
			}
			gone(t, path)
			if err := closed(OpenFile(f, nil)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("OpenFile of what has ended = %v, want fs.ErrNotExist", err)
			}
		})
	}
}

// haveSwept says whether Open has swept dir within this second.
func haveSwept(dir string, yes bool) {
	swept.Lock()
	defer swept.Unlock()
	delete(swept.at, dir)
	if yes {
		swept.at[dir] = time.Now()
	}
}

// A newcomer has opened the file, and the last one leaves before the newcomer
// has its share.
func TestEphemeralEndsUnderANewcomer(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, ephemeral))(t)
	f, st, err := openFile(path, true)
	if err != nil {
		t.Fatal(err)
	}
	v := regionFile{f: f, id: st.FileID, h: testproc.Get(examine(f, st, new(Options)))(t), path: path, name: path}
	if err := v.lives(false); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, path)
	second := testproc.Get(Create(path, ephemeral))(t)
	defer second.Close()
	if r, err := attach(v, new(Options)); !errors.Is(err, errGone) {
		t.Errorf("attach to what has ended = %v, %v, want errGone", r, err)
	}
	if r := testproc.Get(Open(path, nil))(t); r.a != second.a {
		t.Error("the newcomer is not in the new region")
	} else {
		r.Close()
	}
}

// corpse is an ephemeral region whose only participant was killed.
func corpse(t *testing.T) (path string) {
	t.Helper()
	path = testPath(t)
	r := testproc.Get(Create(path, ephemeral))(t)
	c := guest.Start(t, path)
	c.Expect(fmt.Sprint(r.a.id))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c.Kill()
	return path
}

// Somebody is about to end the region, has not said so in it yet, and is killed.
func TestEphemeralIsEnding(t *testing.T) {
	path := corpse(t)
	ender := testproc.Get(sys.Open(path, true))(t)
	if err := sys.Lock(ender, 192, 1, true); err != nil {
		t.Fatal(err)
	}
	id := testproc.Get(sys.ID(ender))(t)
	a := attachment{path: path, file: id, private: testproc.Get(sys.Open(path, true))(t)}
	a.Geo.Flags = 1
	if err := a.takeLife(); !errors.Is(err, errGone) {
		t.Errorf("takeLife while another ends the region = %v, want errGone", err)
	}
	a.private.Close()
	if err := closed(Open(path, nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open while another ends the region = %v, want fs.ErrNotExist", err)
	}
	if err := closed(Create(path, nil)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create while another ends the region = %v, want fs.ErrExist", err)
	}
	type result struct {
		r   *Region
		err error
	}
	made := make(chan result, 1)
	go func() {
		r, err := OpenOrCreate(path, ephemeral)
		made <- result{r, err}
	}()
	select {
	case got := <-made:
		t.Fatalf("OpenOrCreate while another ends the region = %+v", got)
	case <-time.After(20 * time.Millisecond):
	}
	ender.Close()
	got := <-made
	if got.err != nil {
		t.Fatal(got.err)
	}
	if got.r.a.file == id {
		t.Error("a region in which nobody lives was entered")
	}
	got.r.Close()
	gone(t, path)
}

// The name was removed and given to another region before the last one left.
func TestEphemeralDoesNotTakeASuccessorsName(t *testing.T) {
	path := testPath(t)
	first := testproc.Get(Create(path, ephemeral))(t)
	f := testproc.Get(first.File())(t)
	defer f.Close()
	if err := Remove(path); err != nil {
		t.Fatal(err)
	}
	// Those who have a descriptor may still come in, those who have the name not.
	in := testproc.Get(OpenFile(f, nil))(t)
	if in.a != first.a {
		t.Error("not the same region")
	}
	in.Close()
	second := testproc.Get(Create(path, nil))(t)
	defer second.Close()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if st, err := sys.Lstat(path); err != nil || st.FileID != second.a.file {
		t.Errorf("the successor lost its name: %v", err)
	}
}

// Somebody was killed between lifeGone and the unlinking.
func TestEphemeralGoneWithItsName(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, ephemeral))(t)
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], 1)
	f := testproc.Get(os.OpenFile(path, os.O_RDWR, 0))(t)
	defer f.Close()
	if _, err := f.WriteAt(b[:], 192); err != nil {
		t.Fatal(err)
	}
	// r still has its share, as one does who was late.
	second := testproc.Get(OpenOrCreate(path, ephemeral))(t)
	defer second.Close()
	if second.a == r.a {
		t.Error("a region that has ended was opened")
	}
	r.Close()
	if !isNamed(path, second.a.file) {
		t.Error("the new region lost its name")
	}
}

// Who unlinks is stopped while it holds the name byte; then it is killed.
func TestRemoveBehindAStoppedRemover(t *testing.T) {
	path := newRegionFile(t)
	f := testproc.Get(sys.Open(path, true))(t)
	if err := sys.Lock(f, 0, 1, true); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Remove(path) }()
	select {
	case err := <-done:
		t.Errorf("Remove while another is at it = %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	f.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	gone(t, path)
}
