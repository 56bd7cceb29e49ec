package shm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
)

func TestList(t *testing.T) {
	dir := testDir(t)
	t.Setenv("TANDEM_DIR", dir)
	if infos, err := List(); err != nil || len(infos) != 0 {
		t.Errorf("List of an empty directory = %v, %v", infos, err)
	}
	before := time.Now().Add(-time.Second)
	a := testproc.Get(Create("a", &Options{Size: 1 << 20, Participants: 5, Mode: 0o640}))(t)
	defer a.Close()
	b := testproc.Get(Create("b", ephemeral))(t)
	defer b.Close()
	c := testproc.Get(Create("c", &Options{Size: 2 << 20}))(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	visitor := guest.Start(t, filepath.Join(dir, "a"))
	visitor.Expect(a.a.id.String())
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"old", "damaged", "short"} {
		r := testproc.Get(Create(name, &Options{Size: 1 << 20}))(t)
		r.Close()
	}
	damageFile(t, at("old"), func(b []byte) { b[8] = 9 })
	damageFile(t, at("damaged"), func(b []byte) { clear(b[40:44]) })
	for _, err := range []error{
		os.Truncate(at("short"), 5000),
		os.WriteFile(at("text"), []byte(strings.Repeat("text\n", 1<<18)), 0o600),
		os.WriteFile(at("empty"), nil, 0o600),
		os.Symlink(at("a"), at("link")),
		syscall.Mkfifo(at("fifo"), 0o600),
		os.Mkdir(at("directory"), 0o700),
		os.Link(at("c"), at("not a name")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	infos, err := List()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Info{}
	var names []string
	for _, i := range infos {
		got[i.Name] = i
		names = append(names, i.Name)
	}
	if s := strings.Join(names, " "); s != "a b c damaged old short" {
		t.Errorf("List has %q", s)
	}
	if i := got["a"]; i.ID != a.a.id.String() || i.Size != 1<<20 || i.Participants != 2 || i.Limit != 5 ||
		i.Mode != 0o640 || i.UID != os.Geteuid() || !i.ThisBoot || i.Ephemeral || i.Problem != "" || i.Path != at("a") ||
		i.Created.Before(before) || i.Created.After(time.Now()) || i.Memory < 4096 || i.Memory > 1<<20 {
		t.Errorf("a: %+v", i)
	}
	if i := got["b"]; !i.Ephemeral || i.Participants != 1 {
		t.Errorf("b: %+v", i)
	}
	if i := got["c"]; i.Participants != 0 || i.Size != 2<<20 {
		t.Errorf("c: %+v", i)
	}
	for _, name := range []string{"damaged", "old", "short"} {
		if got[name].Problem == "" {
			t.Errorf("%s: %+v, want a problem", name, got[name])
		}
	}
	t.Setenv("TANDEM_DIR", at("nowhere"))
	if _, err := List(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("List of no directory = %v", err)
	}
}

// Those attached go on after Remove, and the name is free.
func TestRemove(t *testing.T) {
	dir := testDir(t)
	t.Setenv("TANDEM_DIR", dir)
	first := testproc.Get(Create("feed", nil))(t)
	defer first.Close()
	if err := Remove("feed"); err != nil {
		t.Fatal(err)
	}
	if err := Remove("feed"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a second Remove = %v, want fs.ErrNotExist", err)
	}
	if err := Remove("fe ed"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Remove of a bad name = %v, want fs.ErrInvalid", err)
	}
	second := testproc.Get(Create("feed", nil))(t)
	defer second.Close()
	if second.a == first.a || first.Self().State != Alive || second.Self().State != Alive {
		t.Error("two regions of one name, one after the other, want both alive")
	}
	f := testproc.Get(first.File())(t)
	defer f.Close()
	again := testproc.Get(OpenFile(f, nil))(t)
	defer again.Close()
	if again.a != first.a {
		t.Error("OpenFile of the removed region found another")
	}
}

// Of many removers at once one succeeds, and none takes a successor's name.
func TestRemoveRace(t *testing.T) {
	path := testPath(t)
	for range 50 {
		first := testproc.Get(Create(path, &Options{Size: 1 << 20}))(t)
		first.Close()
		results := make(chan error, 4)
		for range cap(results) {
			go func() { results <- Remove(path) }()
		}
		second, err := Create(path, &Options{Size: 1 << 20})
		for err != nil {
			if !errors.Is(err, fs.ErrExist) {
				t.Fatal(err)
			}
			second, err = Create(path, &Options{Size: 1 << 20})
		}
		removed := 1 // the first region: else Create had not succeeded
		for range cap(results) {
			switch err := <-results; {
			case err == nil:
				removed--
			case !errors.Is(err, fs.ErrNotExist):
				t.Error(err)
			}
		}
		// 0: the second is there. -1: a remover came late and took it, rightly.
		if here := isNamed(path, second.a.file); here != (removed == 0) || removed < -1 {
			t.Fatalf("%d removals succeeded, and the second region is there: %v", 1-removed, here)
		}
		second.Close()
		os.Remove(path)
	}
}
