package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// heir: pid fd. Attaches to the region in another process's descriptor.
var heir = testproc.Role("heir", func(args []string) {
	f, err := os.OpenFile("/proc/"+args[0]+"/fd/"+args[1], os.O_RDWR, 0)
	testproc.Must(err)
	r, err := OpenFile(f, nil)
	testproc.Must(err)
	testproc.Must(f.Close())
	testproc.Say(r.Name(), r.Size(), len(r.Participants()))
	testproc.Hear()
	testproc.Must(r.Close())
})

func TestAnonymous(t *testing.T) {
	r := testproc.Get(Anonymous(&Options{Size: 1 << 20}))(t)
	defer r.Close()
	other := testproc.Get(Anonymous(nil))(t)
	defer other.Close()
	if r.a == other.a || r.Name() == other.Name() || !strings.HasPrefix(r.Name(), "anonymous-") {
		t.Errorf("two anonymous regions: %s, %s", r.Name(), other.Name())
	}
	f := testproc.Get(r.File())(t)
	st := testproc.Get(f.Stat())(t)
	if st.Size() != 1<<20 || st.Mode().Perm() != 0o600 {
		t.Errorf("size %d, mode %v", st.Size(), st.Mode())
	}
	for _, size := range []int64{0, 1 << 19, 2 << 20} {
		if err := f.Truncate(size); !errors.Is(err, syscall.EPERM) {
			t.Errorf("Truncate(%d) = %v, want EPERM: the size is sealed", size, err)
		}
	}
	c := heir.Start(t, fmt.Sprint(os.Getpid()), fmt.Sprint(f.Fd()))
	c.Expect(fmt.Sprint(r.Name(), " ", 1<<20, " ", 2))
	// The descriptor is the caller's; the region has its own.
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if p := r.Participants(); len(p) != 2 {
		t.Errorf("Participants = %v, want 2", p)
	}
	c.Say("go")
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	again := testproc.Get(r.File())(t)
	defer again.Close()
	r2 := testproc.Get(OpenFile(again, nil))(t)
	if r2.a != r.a {
		t.Error("OpenFile made a second attachment")
	}
	if err := r2.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r2.File(); !errors.Is(err, ErrClosed) {
		t.Errorf("File after Close = %v, want ErrClosed", err)
	}
	if r.Self().State != Alive {
		t.Error("closing one handle closed the other")
	}
}

func TestFileIsClosedOnExec(t *testing.T) {
	r := testproc.Get(Anonymous(nil))(t)
	defer r.Close()
	f := testproc.Get(r.File())(t)
	defer f.Close()
	for _, f := range []*os.File{f, r.a.fd, r.a.private} {
		fl, _, e := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFD, 0)
		if e != 0 || fl&syscall.FD_CLOEXEC == 0 {
			t.Errorf("descriptor flags %#x, %v, want FD_CLOEXEC", fl, e)
		}
	}
}

func TestOpenFileRefuses(t *testing.T) {
	if err := closed(OpenFile(nil, nil)); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("OpenFile(nil) = %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := closed(OpenFile(r, nil)); !errors.Is(err, ErrNotRegion) {
		t.Errorf("OpenFile of a pipe = %v", err)
	}
	w.Close()
	if err := closed(OpenFile(w, nil)); err == nil {
		t.Error("OpenFile of a closed file succeeded")
	}
	path := newRegionFile(t)
	ro := testproc.Get(os.Open(path))(t)
	defer ro.Close()
	if err := closed(OpenFile(ro, nil)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("OpenFile of a descriptor for reading = %v, want fs.ErrPermission", err)
	}
	reader := testproc.Get(OpenFile(ro, &Options{ReadOnly: true}))(t)
	if reader.Name() != path {
		t.Errorf("Name = %q, want %q", reader.Name(), path)
	}
	reader.Close()
	// A memory file that its sender could still shrink.
	b := testproc.Get(os.ReadFile(path))(t)
	m := testproc.Get(sys.Memfd("test"))(t)
	defer m.Close()
	b[12] |= 2
	resum(b)
	if _, err := m.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := closed(OpenFile(m, nil)); !errors.Is(err, ErrNotRegion) {
		t.Errorf("OpenFile of an unsealed memfd = %v, want ErrNotRegion", err)
	}
	if err := sys.Seal(m); err != nil {
		t.Fatal(err)
	}
	if err := closed(OpenFile(m, nil)); err != nil {
		t.Errorf("OpenFile of a sealed one = %v", err)
	}
}

// The caller's description is left as it was.
func TestOpenFileLeavesTheFileAlone(t *testing.T) {
	path := newRegionFile(t)
	f := testproc.Get(os.OpenFile(path, os.O_RDWR, 0))(t)
	defer f.Close()
	if _, err := f.Seek(77, 0); err != nil {
		t.Fatal(err)
	}
	r := testproc.Get(OpenFile(f, nil))(t)
	if at, err := f.Seek(0, 1); err != nil || at != 77 {
		t.Errorf("offset %d, %v, want 77", at, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Stat(); err != nil {
		t.Errorf("the caller's file: %v", err)
	}
}

func TestMarshalRegion(t *testing.T) {
	r := testproc.Get(Anonymous(nil))(t)
	var b []byte
	ids, err := object.Collect(func() (err error) {
		b, err = r.MarshalBinary()
		return err
	})
	if err != nil || !ids[r.a.key()] || len(ids) != 1 {
		t.Fatalf("Collect = %v, %v", ids, err)
	}
	var back Region
	if err := back.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if back.a != r.a {
		t.Error("another region")
	}
	if err := back.UnmarshalBinary(b); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("UnmarshalBinary into a handle in use = %v", err)
	}
	// Each is closed on its own.
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.MarshalBinary(); !errors.Is(err, ErrClosed) {
		t.Errorf("MarshalBinary after Close = %v", err)
	}
	if back.Self().State != Alive {
		t.Error("closed with another handle")
	}
	back.Close()
	var third Region
	if err := third.UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("UnmarshalBinary of a region that is not open = %v, want fs.ErrNotExist", err)
	}
	on, err := object.Ref{Region: r.a.id, Kind: 1, Object: "m"}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{nil, {1, 2, 3}, on} {
		if err := third.UnmarshalBinary(b); err == nil {
			t.Errorf("UnmarshalBinary(%x) succeeded", b)
		}
	}
}

func TestExistingIsTheSameHandle(t *testing.T) {
	r := testproc.Get(Anonymous(nil))(t)
	e := r.Existing()
	if !e.existing || e.Name() != r.Name() || e.Self() != r.Self() {
		t.Error("not a view of the region")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.File(); !errors.Is(err, ErrClosed) {
		t.Errorf("File after Close through Existing = %v, want ErrClosed", err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("a second Close = %v", err)
	}
}
