package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

// damageFile changes the first 4,096 bytes of a file.
func damageFile(t *testing.T, path string, damage func(b []byte)) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 4096)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	damage(b)
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
}

// resum makes a header that was changed believable.
func resum(b []byte) { binary.LittleEndian.PutUint64(b[88:], region.HeaderSum(b)) }

// newRegionFile makes a region of 1 MiB that nobody is attached to.
func newRegionFile(t *testing.T) string {
	t.Helper()
	path := testPath(t)
	r := testproc.Get(Create(path, &Options{Size: 1 << 20}))(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// The offsets are written out: a second opinion on the layout.
func TestOpenRefusesDamage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(b []byte)
		want   error
	}{
		{"another format", func(b []byte) { b[0]++ }, ErrNotRegion},
		{"all zero", func(b []byte) { clear(b) }, ErrNotRegion},
		{"older layout", func(b []byte) { b[8]-- }, ErrVersion},
		{"newer layout", func(b []byte) { b[8]++ }, ErrVersion},
		{"another page size", func(b []byte) { b[65], b[66] = 0, 1 }, ErrVersion},
		{"an unknown flag", func(b []byte) { b[12] |= 0x80 }, ErrVersion},
		{"an unknown flag, on purpose", func(b []byte) { b[12] |= 0x80; resum(b) }, ErrVersion},
		{"a named file that says it is anonymous", func(b []byte) { b[12] |= 2; resum(b) }, ErrNotRegion},
		{"made ephemeral by a flipped bit", func(b []byte) { b[12] ^= 1 }, ErrCorrupt},
		{"a directory elsewhere by a flipped bit", func(b []byte) { b[44] ^= 1 }, ErrCorrupt},
		{"size beyond the file", func(b []byte) { b[19] = 1 }, ErrCorrupt},
		{"size below the file", func(b []byte) { b[17] -= 0x10; b[18]-- }, ErrCorrupt},
		{"no id", func(b []byte) { clear(b[24:40]) }, ErrCorrupt},
		{"no participants", func(b []byte) { clear(b[40:44]) }, ErrCorrupt},
		{"1025 participants", func(b []byte) { b[40], b[41] = 1, 4 }, ErrCorrupt},
		{"no objects", func(b []byte) { clear(b[44:48]) }, ErrCorrupt},
		{"more objects than fit", func(b []byte) { b[45] = 0x40 }, ErrCorrupt},
		{"4 billion objects", func(b []byte) { copy(b[44:48], "\xff\xff\xff\xff") }, ErrCorrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := newRegionFile(t)
			damageFile(t, path, tt.damage)
			for _, o := range []*Options{nil, {ReadOnly: true}} {
				if o != nil && tt.want == ErrNotRegion && strings.Contains(tt.name, "anonymous") {
					continue // a copy of one may be looked at
				}
				r, err := Open(path, o)
				if !errors.Is(err, tt.want) {
					t.Errorf("Open(%+v) = %v, want %v", o, err, tt.want)
				}
				if err == nil {
					r.Close()
				}
			}
			if tt.want == ErrNotRegion && !strings.Contains(tt.name, "anonymous") {
				if err := Remove(path); !errors.Is(err, ErrNotRegion) {
					t.Errorf("Remove = %v, want ErrNotRegion", err)
				}
			} else if err := Remove(path); err != nil {
				t.Errorf("Remove of a damaged region = %v", err)
			}
		})
	}
}

func TestOpenRefusesOtherSizes(t *testing.T) {
	for _, tt := range []struct {
		size int64
		want error
	}{
		{0, ErrNotRegion},
		{36, ErrNotRegion},
		{4095, ErrNotRegion},
		{4096, ErrCorrupt},
		{1<<20 - 4096, ErrCorrupt},
		{1<<20 - 1, ErrCorrupt},
		{1<<20 + 1, ErrCorrupt},
		{2 << 20, ErrCorrupt},
	} {
		path := newRegionFile(t)
		if err := os.Truncate(path, tt.size); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, nil)
		if !errors.Is(err, tt.want) {
			t.Errorf("Open of a file of %d bytes = %v, want %v", tt.size, err, tt.want)
		}
		if err == nil {
			r.Close()
		} else if !strings.Contains(err.Error(), strconv.FormatInt(tt.size, 10)) {
			t.Errorf("Open of a file of %d bytes: %v: does not say so", tt.size, err)
		}
	}
	// Header and file agree on a size that cannot hold the rest.
	path := newRegionFile(t)
	damageFile(t, path, func(b []byte) { clear(b[16:24]); b[17] = 0x20 })
	if err := os.Truncate(path, 0x2000); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Open of a region of 8192 bytes = %v, want ErrCorrupt", err)
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := testDir(t)
	target := filepath.Join(dir, "target")
	r := testproc.Get(Create(target, nil))(t)
	defer r.Close()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.Symlink(target, at("symlink")),
		os.Symlink(at("nowhere"), at("dangling")),
		syscall.Mkfifo(at("fifo"), 0o600),
		os.Mkdir(at("directory"), 0o700),
		os.WriteFile(at("text"), []byte(strings.Repeat("# not a region\n", 10000)), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	names := []string{at("symlink"), at("dangling"), at("fifo"), at("directory"), at("text"), at("socket"), "/dev/null"}
	for _, name := range names {
		for op, f := range map[string]func() error{
			"Open":          func() error { return closed(Open(name, nil)) },
			"Open ReadOnly": func() error { return closed(Open(name, &Options{ReadOnly: true})) },
			"OpenOrCreate":  func() error { return closed(OpenOrCreate(name, nil)) },
			"Remove":        func() error { return Remove(name) },
		} {
			done := make(chan error, 1)
			go func() { done <- f() }()
			select {
			case err := <-done:
				if !errors.Is(err, ErrNotRegion) {
					t.Errorf("%s(%s) = %v, want ErrNotRegion", op, name, err)
				}
			case <-time.After(testproc.Patience):
				t.Fatalf("%s(%s) blocks", op, name)
			}
		}
		if name == "/dev/null" {
			continue
		}
		if err := closed(Create(name, nil)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Create(%s) = %v, want fs.ErrExist", name, err)
		}
		if _, err := os.Lstat(name); err != nil {
			t.Errorf("after all that: %v", err)
		}
	}
	if _, err := os.Lstat(at("nowhere")); err == nil {
		t.Error("OpenOrCreate followed a link")
	}
}

// closed is the error of an open that is expected to fail.
func closed(r *Region, err error) error {
	if err == nil {
		r.Close()
	}
	return err
}

func TestOpenNotExist(t *testing.T) {
	dir := testDir(t)
	for _, name := range []string{filepath.Join(dir, "none"), filepath.Join(dir, "no", "directory")} {
		err := closed(Open(name, nil))
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open(%s) = %v", name, err)
		}
		var e *Error
		if !errors.As(err, &e) || e.Op != "shm.Open" || e.Region != name {
			t.Errorf("Open(%s): %#v", name, err)
		}
		if err := Remove(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Remove(%s) = %v", name, err)
		}
	}
	if err := closed(OpenOrCreate(filepath.Join(dir, "no", "directory"), nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenOrCreate in no directory = %v", err)
	}
	if err := closed(Open("a b", nil)); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Open of a bad name = %v", err)
	}
}

func TestOpenForeignOwner(t *testing.T) {
	path := newRegionFile(t)
	if err := os.Chown(path, 12345, -1); err != nil {
		t.Skipf("giving a file to another user needs root: %v", err)
	}
	err := closed(Open(path, nil))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "12345") {
		t.Errorf("Open of another user's region = %v, want fs.ErrPermission that names uid 12345", err)
	}
	if err := closed(Open(path, &Options{ReadOnly: true})); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Open read-only of another user's region = %v", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := closed(OpenFile(f, nil)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("OpenFile of another user's region = %v", err)
	}
	for _, o := range []*Options{{AnyOwner: true}, {AnyOwner: true, ReadOnly: true}} {
		if err := closed(Open(path, o)); err != nil {
			t.Errorf("Open(%+v) = %v", o, err)
		}
		if err := closed(OpenFile(f, o)); err != nil {
			t.Errorf("OpenFile(%+v) = %v", o, err)
		}
	}
}

// stranger: uid path readonly. Opens as another user.
var stranger = testproc.Role("stranger", func(args []string) {
	uid, _ := strconv.Atoi(args[0])
	testproc.Must(syscall.Setgid(uid))
	testproc.Must(syscall.Setuid(uid))
	r, err := Open(args[1], &Options{ReadOnly: args[2] == "readonly"})
	switch {
	case err == nil:
		fmt.Println("open", r.Name() == args[1])
		testproc.Must(r.Close())
	case errors.Is(err, fs.ErrPermission):
		fmt.Println("permission", errors.Is(err, syscall.EACCES))
	default:
		fmt.Println(err)
	}
})

// A user opens root's regions as far as their mode lets him.
func TestOpenAsAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming another user needs root")
	}
	dir := testDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		mode     fs.FileMode
		readonly string
		want     string
	}{
		{0o600, "", "permission true"},
		{0o600, "readonly", "permission true"},
		{0o644, "", "permission true"},
		{0o644, "readonly", "open true"},
		{0o666, "", "open true"},
	} {
		path := filepath.Join(dir, fmt.Sprintf("m%o%s", tt.mode, tt.readonly))
		r := testproc.Get(Create(path, &Options{Mode: tt.mode}))(t)
		defer r.Close()
		c := stranger.Start(t, "12345", path, tt.readonly)
		if l := c.Line(); l != tt.want {
			t.Errorf("mode %o, %s: %s, want %s", tt.mode, tt.readonly, l, tt.want)
		}
		c.Wait()
	}
}

func TestReadOnly(t *testing.T) {
	path := newRegionFile(t)
	ro := testproc.Get(Open(path, &Options{ReadOnly: true}))(t)
	defer ro.Close()
	if ro.Size() != 1<<20 || ro.Name() != path || len(ro.Participants()) != 0 {
		t.Errorf("size %d, name %q, participants %v", ro.Size(), ro.Name(), ro.Participants())
	}
	// It took no record: a region for one has room for one.
	path = testPath(t)
	one := testproc.Get(Create(path, &Options{Participants: 1}))(t)
	defer one.Close()
	ro2 := testproc.Get(Open(path, &Options{ReadOnly: true}))(t)
	defer ro2.Close()
	if p := ro2.Participants(); len(p) != 1 || p[0].PID != os.Getpid() {
		t.Errorf("Participants through a read-only handle = %v", p)
	}
	for name, f := range map[string]func(*Options) (*Region, error){
		"Create":       func(o *Options) (*Region, error) { return Create(path+"2", o) },
		"OpenOrCreate": func(o *Options) (*Region, error) { return OpenOrCreate(path, o) },
		"Anonymous":    Anonymous,
	} {
		if err := closed(f(&Options{ReadOnly: true})); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s read-only = %v, want fs.ErrInvalid", name, err)
		}
	}
}

// A region from before a reboot, on a disk: nobody in it lives.
func TestOpenAfterReboot(t *testing.T) {
	path := newRegionFile(t)
	damageFile(t, path, func(b []byte) { b[48] ^= 0xff })
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Participant 7 was alive in epoch 3, and has this process's pid today.
	var rec [16]byte
	binary.LittleEndian.PutUint64(rec[0:], 3<<32|2)
	binary.LittleEndian.PutUint32(rec[12:], uint32(os.Getpid()))
	if _, err := f.WriteAt(rec[:], 4096+7*256); err != nil {
		t.Fatal(err)
	}
	r := testproc.Get(Open(path, nil))(t)
	defer r.Close()
	if p := r.Participants(); len(p) != 1 || p[0].Index != r.Self().Index {
		t.Errorf("Participants = %v, want this process alone", p)
	}
}

// A copy of a region has holes; opening it puts memory there.
func TestOpenCopyWithHoles(t *testing.T) {
	path := newRegionFile(t)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sparse := path + "-copy"
	f, err := os.Create(sparse)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(len(b))); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(b); i += 4096 {
		if string(b[i:i+4096]) != string(make([]byte, 4096)) {
			if _, err := f.WriteAt(b[i:i+4096], int64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := testproc.Get(Open(sparse, nil))(t)
	defer r.Close()
	other := testproc.Get(Open(path, nil))(t)
	defer other.Close()
	if r.a == other.a {
		t.Error("a region and its copy are one attachment")
	}
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if got := st.Sys().(*syscall.Stat_t).Blocks * 512; uint64(got) < r.a.Geo.HeapOff {
		t.Errorf("%d bytes of memory behind the copy, want %d", got, r.a.Geo.HeapOff)
	}
}
