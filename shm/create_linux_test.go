package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// files are the names in a directory.
func files(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCreateOptions(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		size int64 // 0 for fs.ErrInvalid
		mode fs.FileMode
	}{
		{Options{}, 1 << 30, 0o600},
		{Options{Size: 1 << 20}, 1 << 20, 0o600},
		{Options{Size: 1<<20 + 1}, 1<<20 + 4096, 0o600},
		{Options{Size: 1 << 40, Mode: 0o666}, 1 << 40, 0o666},
		{Options{Mode: 0o640, Participants: 1024, Objects: 1}, 1 << 30, 0o640},
		{Options{Size: -1}, 0, 0},
		{Options{Size: 4096}, 0, 0},
		{Options{Size: 1<<63 - 1}, 0, 0},
		{Options{Participants: -1}, 0, 0},
		{Options{Participants: 1025}, 0, 0},
		{Options{Participants: 1 << 40}, 0, 0},
		{Options{Objects: -1}, 0, 0},
		{Options{Objects: 1 << 21}, 0, 0},
		{Options{Objects: 1<<32 + 5}, 0, 0},
		{Options{Mode: 0o400}, 0, 0},
		{Options{Mode: 0o066}, 0, 0},
		{Options{Mode: 0o600 | fs.ModeSetuid}, 0, 0},
		{Options{Mode: 0o600 | fs.ModeDir}, 0, 0},
	} {
		path := testPath(t)
		r, err := Create(path, &tt.o)
		if tt.size == 0 {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("Create(%+v) = %v, want fs.ErrInvalid", tt.o, err)
			}
			if f := files(t, filepath.Dir(path)); len(f) != 0 {
				t.Errorf("Create(%+v) left %q", tt.o, f)
			}
			continue
		}
		if err != nil {
			t.Errorf("Create(%+v) = %v", tt.o, err)
			continue
		}
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if r.Size() != tt.size || st.Size() != tt.size || st.Mode() != tt.mode || r.Name() != path {
			t.Errorf("Create(%+v): size %d, file %d, mode %v, name %s", tt.o, r.Size(), st.Size(), st.Mode(), r.Name())
		}
		if err := closed(Create(path, &tt.o)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a second Create = %v, want fs.ErrExist", err)
		}
		// An existing region's own size wins.
		r2 := testproc.Get(OpenOrCreate(path, &Options{Size: 64 << 20}))(t)
		if r2.Size() != tt.size {
			t.Errorf("OpenOrCreate: size %d, want %d", r2.Size(), tt.size)
		}
		if err := errors.Join(r2.Close(), r.Close()); err != nil {
			t.Error(err)
		}
		if err := closed(Open(path, nil)); err != nil {
			t.Errorf("Open after all have closed = %v", err)
		}
	}
}

func TestCreateInTandemDir(t *testing.T) {
	dir := testDir(t)
	t.Setenv("TANDEM_DIR", dir)
	r := testproc.Get(Create("feed", nil))(t)
	defer r.Close()
	if _, err := os.Stat(filepath.Join(dir, "feed")); err != nil || r.Name() != "feed" {
		t.Errorf("region %q: %v", r.Name(), err)
	}
	again := testproc.Get(Open("feed", nil))(t)
	if again.a != r.a {
		t.Error("a region opened twice is two attachments")
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.File(); err != nil {
		t.Errorf("after another handle's Close: %v", err)
	}
}

// The relative path of a region goes on meaning the same file.
func TestRelativePath(t *testing.T) {
	dir := testDir(t)
	t.Chdir(dir)
	r := testproc.Get(Create("./feed", &Options{Ephemeral: true}))(t)
	t.Chdir("/")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if f := files(t, dir); len(f) != 0 {
		t.Errorf("an ephemeral region's Close left %q", f)
	}
}

func TestCreateOnFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("mounting a small tmpfs is not permitted: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	path := filepath.Join(dir, "region")
	for name, f := range map[string]func(string, *Options) (*Region, error){"Create": Create, "OpenOrCreate": OpenOrCreate} {
		err := closed(f(path, nil))
		if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "413696") || !strings.Contains(err.Error(), "262144 free") {
			t.Errorf("%s = %v, want ErrNoSpace with 413696 needed and 262144 free", name, err)
		}
	}
	if f := files(t, dir); len(f) != 0 {
		t.Errorf("left %q", f)
	}
	// What fits, fits.
	r := testproc.Get(Create(path, &Options{Objects: 8, Participants: 2}))(t)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// creator: dir. Creates, closes and removes regions until it is killed.
var creator = testproc.Role("creator", func(args []string) {
	for i := 0; ; i++ {
		name := filepath.Join(args[0], fmt.Sprintf("r%d", i))
		r, err := Create(name, &Options{Size: 1 << 20})
		testproc.Must(err)
		if i == 0 {
			testproc.Say("creating")
		}
		testproc.Must(r.Close())
		testproc.Must(Remove(name))
	}
})

// Whenever a creator is killed, a name is complete or absent, and nothing else
// is left once somebody looks.
func TestCreateKilled(t *testing.T) {
	for _, force := range []string{"", "notmpfile"} {
		dir := testDir(t)
		t.Setenv("TANDEM_DIR", dir)
		temps, complete := 0, 0
		for range 25 {
			c := creator.Start(t, "TANDEM_FORCE="+force, "--", dir)
			c.Expect("creating")
			time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
			c.Kill()
			for _, n := range files(t, dir) {
				if isTemp(n) {
					temps++
				} else {
					complete++
				}
			}
			infos := testproc.Get(List())(t)
			names := files(t, dir)
			if len(infos) != len(names) {
				t.Errorf("List says %d regions, the directory has %q", len(infos), names)
			}
			for _, i := range infos {
				if i.Problem != "" || i.Participants != 0 {
					t.Errorf("after a creator's death: %+v", i)
				}
				if err := closed(Open(i.Name, nil)); err != nil {
					t.Errorf("after a creator's death: %v", err)
				}
				if err := Remove(i.Name); err != nil {
					t.Error(err)
				}
			}
		}
		t.Logf("fallback %q: %d temporary files swept, %d complete regions", force, temps, complete)
		if force == "" && temps != 0 {
			t.Errorf("%d temporary files, want none", temps)
		}
	}
}

// The fallback's temporary file belongs to its creator while that lives.
func TestSweepSparesTheLiving(t *testing.T) {
	dir := testDir(t)
	b := testproc.Get(newTemp(dir))(t)
	defer b.f.Close()
	dead := filepath.Join(dir, tempPrefix+"dead")
	if err := os.WriteFile(dead, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	r := testproc.Get(Create(filepath.Join(dir, "region"), nil))(t)
	defer r.Close()
	if f := files(t, dir); len(f) != 3 || f[0] != filepath.Base(b.temp) {
		t.Errorf("after a sweep: %q, want the living one's, another's file, and the region", f)
	}
	if err := b.publish(r.a.path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("publish over a region = %v, want fs.ErrExist", err)
	}
	if err := b.publish(other + "2"); err != nil {
		t.Error(err)
	}
	if isNamed(b.temp, b.id) || !isNamed(other+"2", b.id) {
		t.Error("not renamed")
	}
	b.end()
	if !isNamed(other+"2", b.id) {
		t.Error("end took the published name away")
	}
}

// force: directory. Reports how Create does under TANDEM_FORCE.
var force = testproc.Role("force", func(args []string) {
	r, err := Create(filepath.Join(args[0], "region"), nil)
	if err != nil {
		fmt.Println(errors.Is(err, errors.ErrUnsupported), err)
		return
	}
	again, err := Create(filepath.Join(args[0], "region"), nil)
	fmt.Println("created", again == nil && errors.Is(err, fs.ErrExist))
	testproc.Must(r.Close())
})

func TestCreateFallbacks(t *testing.T) {
	dir := testDir(t)
	c := force.Start(t, "TANDEM_FORCE=noofd", "--", dir)
	if l := c.Line(); !strings.HasPrefix(l, "true ") || !strings.Contains(l, "F_OFD_SETLK") {
		t.Errorf("Create without OFD locks: %s", l)
	}
	c.Wait()
	if f := files(t, dir); len(f) != 0 {
		t.Errorf("left %q", f)
	}
	c = force.Start(t, "TANDEM_FORCE=notmpfile", "--", dir)
	c.Expect("created true")
	c.Wait()
	if f := files(t, dir); len(f) != 1 || f[0] != "region" {
		t.Errorf("left %q", f)
	}
	// No name byte is held any more.
	f := testproc.Get(sys.Open(filepath.Join(dir, "region"), true))(t)
	defer f.Close()
	if held := testproc.Get(sys.Test(f, 0))(t); held {
		t.Error("the name byte is held")
	}
}
