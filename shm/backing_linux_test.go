package shm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// sparse copies a region's file as cp --sparse=always does.
func sparse(t *testing.T, from, to string) {
	t.Helper()
	b := testproc.Get(os.ReadFile(from))(t)
	f := testproc.Get(os.Create(to))(t)
	defer f.Close()
	if err := f.Truncate(int64(len(b))); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(b); i += 4096 {
		if !allZero(b[i : i+4096]) {
			if _, err := f.WriteAt(b[i:i+4096], int64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// fillUp leaves dir's file system without room until free is called.
func fillUp(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f := testproc.Get(os.Create(path))(t)
	for _, step := range []int{64 << 10, 4096} {
		for {
			if _, err := f.Write(make([]byte, step)); err != nil {
				break
			}
		}
	}
	return func() {
		f.Close()
		os.Remove(path)
	}
}

// storedRegion makes a region with n objects of 64 KiB of zeroes and closes it.
func storedRegion(t *testing.T, path string, n int) {
	t.Helper()
	r := testproc.Get(Create(path, &Options{Size: 4 << 20, Objects: 64, Participants: 4}))(t)
	for i := range n {
		openOK(t, r, sizedSpec(fmt.Sprint("o", i), 64<<10)).KeepAlive()
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// Who comes into a region of many entries reads those that may be in use.
func TestUnusedEntriesAreNotRead(t *testing.T) {
	r, path := newRegion(t, &Options{Size: 64 << 20, Objects: 100_000, Participants: 4})
	for i := range 3 {
		openOK(t, r, sizedSpec(fmt.Sprint("o", i), 8<<10)).KeepAlive()
	}
	first := r.a.Entry(1)
	last := r.a.Geo.Objects - 1
	first.I, first.Gen, first.Off = last, 9, first.Off+1<<20
	r.a.PutEntry(&first) // as if it were in use
	mem.Store32(r.a.Ent32(last, region.EntState), region.EntLive)
	defer mem.Store32(r.a.Ent32(last, region.EntState), region.EntFree)
	f := testproc.Get(os.Open(path))(t)
	defer f.Close()
	if data := sys.NextData(f, int64(r.a.Geo.EntryAt(last/2))); data == int64(r.a.Geo.EntryAt(last/2)) {
		t.Skip("the file system does not tell what is zero")
	}
	before := bytesRead(t)
	used := testproc.Get(usedExtents(f, r.a.Geo))(t)
	if n := bytesRead(t) - before; n > 2<<20 {
		t.Errorf("%d bytes were read, of a table of %d", n, uint64(r.a.Geo.Objects)*region.EntrySize)
	}
	e := r.a.Entry(2)
	if len(used) != 2 || used[0].End() < e.Off+8<<10 || used[1].Off != first.Off&^(pageSize-1) {
		t.Errorf("in use are %v; the third object is %d bytes at %d, the last at %d", used, e.Size, e.Off, first.Off)
	}
}

// bytesRead is how many bytes this process has read so far.
func bytesRead(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip(err)
	}
	var n int64
	if _, err := fmt.Sscanf(string(b), "rchar: %d", &n); err != nil {
		t.Skip(err)
	}
	return n
}

// A copy of a region without the pages that are all zero is given them by who
// opens it first, or that one is told how many there are not. Nobody gets a
// SIGBUS, whether the copy's file has another number than the region's or not.
func TestOpenSparseCopy(t *testing.T) {
	for _, tt := range []struct {
		name string
		same bool // the copy has the region's inode number, on another file system
	}{{"another number", false}, {"the same number", true}} {
		t.Run(tt.name, func(t *testing.T) {
			const n = 8
			one, two := tinyFS(t, 4<<20), tinyFS(t, 4<<20)
			from, to := filepath.Join(one, "region"), filepath.Join(two, "copy")
			storedRegion(t, from, n)
			number := testproc.Get(sys.Lstat(from))(t).Ino
			for k := 0; ; k++ {
				sparse(t, from, to)
				if (testproc.Get(sys.Lstat(to))(t).Ino == number) == tt.same {
					break
				}
				if k == 100 {
					t.Skip("inode numbers of this system's tmpfs do not begin anew")
				}
				// Keep the number taken.
				if err := os.Rename(to, filepath.Join(two, fmt.Sprint("not", k))); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(filepath.Join(two, fmt.Sprint("not", k)), 0); err != nil {
					t.Fatal(err)
				}
			}
			free := fillUp(t, two)
			filler := filepath.Join(two, "filler")
			if err := os.Truncate(filler, testproc.Get(sys.Lstat(filler))(t).Size-64<<10); err != nil { // some, and not enough
				t.Fatal(err)
			}
			before := blocks(t, to)
			err := closed(Open(to, nil))
			wantErr(t, err, ErrNoSpace)
			var needed, taken, has int64
			at := strings.Index(err.Error(), "header")
			if _, serr := fmt.Sscanf(err.Error()[at:], "header, directory and objects need %d bytes, the file has %d and its file system %d", &needed, &taken, &has); serr != nil || needed < n*64<<10 || taken != before || has > 68<<10 {
				t.Errorf("%v: %v", err, serr)
			}
			if after := blocks(t, to); after != before {
				t.Errorf("a failed Open has taken %d bytes", after-before)
			}

			// The memory that the file has may be behind what nobody uses.
			free()
			f := testproc.Get(os.OpenFile(to, os.O_RDWR, 0))(t)
			defer f.Close()
			if _, err := f.WriteAt([]byte(strings.Repeat("x", 1<<20)), 3<<20); err != nil {
				t.Fatal(err)
			}
			free = fillUp(t, two)
			wantErr(t, closed(Open(to, nil)), ErrNoSpace)
			wantErr(t, closed(Open(to, &Options{ReadOnly: true})), ErrNoSpace)
			outsider.Start(t, "TANDEM_FORCE=nofallocate", "--", to).Expect("no space")

			free()
			r := testproc.Get(Open(to, nil))(t)
			defer r.Close()
			again := testproc.Get(Open(to, nil))(t)
			defer again.Close()
			free = fillUp(t, two)
			defer free()
			var cores []*object.Core
			for i := range n {
				c := openOK(t, r.Existing(), sizedSpec(fmt.Sprint("o", i), 0))
				b := c.Area.Bytes(engine.MutexSize, 64<<10)
				for k := range b {
					b[k] = 1 // a fault, if there is nothing behind it
				}
				cores = append(cores, c)
			}
			checkOK(t, r)
			for _, c := range cores {
				c.KeepAlive()
			}
			// Who comes while somebody is in needs no more than that.
			outsider.Start(t, to).Expect("in")
		})
	}
}

var outsider = testproc.Role("outsider", func(args []string) {
	r, err := Open(args[0], nil)
	if errors.Is(err, ErrNoSpace) {
		testproc.Say("no space")
		return
	}
	testproc.Must(err)
	testproc.Must(r.Check())
	testproc.Say("in")
	testproc.Must(r.Close())
})

// Memory is put behind what an entry says that it has, and no more, whatever
// else is written there.
func TestBackOnlyEntries(t *testing.T) {
	path := filepath.Join(testDir(t), "region")
	storedRegion(t, path, 3)
	f := testproc.Get(os.OpenFile(path, os.O_RDWR, 0))(t)
	defer f.Close()
	st := testproc.Get(sys.Stat(f))(t)
	h := testproc.Get(readHeader(f, st.Size))(t)
	edit := func(i uint32, at uint64, v byte) {
		if _, err := f.WriteAt([]byte{v}, int64(h.EntryAt(i)+at)); err != nil {
			t.Fatal(err)
		}
	}
	edit(0, region.EntSize+2, 0x20) // 2 MiB more
	edit(1, region.EntOff+3, 0xff)  // beyond the end
	edit(2, region.EntWords+7, 0x7f)
	sparse(t, path, path+"-copy")
	r := testproc.Get(Open(path+"-copy", nil))(t)
	defer r.Close()
	if n := blocks(t, path+"-copy"); uint64(n) > h.HeapOff+128<<10 {
		t.Errorf("%d bytes of memory behind header and directory of %d and an object of 64 KiB", n, h.HeapOff)
	}
	var st2 syscall.Stat_t
	if err := syscall.Stat(path+"-copy", &st2); err != nil || st2.Size != st.Size {
		t.Errorf("the file has %d bytes, want %d, %v", st2.Size, st.Size, err)
	}
}

// Without fallocate, as on a ramfs, regions are made and copies opened all the
// same.
func TestWithoutFallocate(t *testing.T) {
	dir := tinyFS(t, 4<<20)
	path := filepath.Join(dir, "region")
	c := fallless.Start(t, "TANDEM_FORCE=nofallocate", "--", path)
	c.Expect("made")
	if n := blocks(t, path); n < 256<<10 {
		t.Errorf("%d bytes of memory behind a region with an object of 256 KiB", n)
	}
	sparse(t, path, path+"-copy")
	outsider.Start(t, "TANDEM_FORCE=nofallocate", "--", path+"-copy").Expect("in")
	if n := blocks(t, path+"-copy"); n < 256<<10 {
		t.Errorf("%d bytes of memory behind its copy", n)
	}
	c.HangUp()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	fillUp(t, dir)
	fallless.Start(t, "TANDEM_FORCE=nofallocate", "--", path+"-2").Expect("no space")
}

var fallless = testproc.Role("fallless", func(args []string) {
	r, err := Create(args[0], &Options{Size: 4 << 20, Objects: 64, Participants: 4})
	if errors.Is(err, ErrNoSpace) {
		testproc.Say("no space")
		return
	}
	testproc.Must(err)
	c, err := r.OpenObject(sizedSpec("o", 256<<10))
	testproc.Must(err)
	testproc.Say("made")
	testproc.Hear()
	c.KeepAlive()
	testproc.Must(r.Close())
})

// A process that locks all its memory takes no more of a sparse region than
// another, and Close no more than that.
func TestLockedMemory(t *testing.T) {
	path := testPath(t)
	c := locker.Start(t, path)
	if l := c.Line(); l != "made" {
		t.Skip(l)
	}
	if n := blocks(t, path); n > 1<<20 {
		t.Errorf("%d bytes of memory behind a new region of 256 MiB", n)
	}
	c.Say("go")
	var before, after int
	if l := c.Line(); l != "closed" {
		t.Fatal(l)
	}
	if _, err := fmt.Sscan(c.Line(), &before, &after); err != nil || after-before > 64<<10 {
		t.Errorf("%d KiB in memory before Close, %d after, %v", before, after, err)
	}
	if n := blocks(t, path); n > 1<<20 {
		t.Errorf("%d bytes of memory behind it after Close", n)
	}
}

var locker = testproc.Role("locker", func(args []string) {
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE); err != nil {
		testproc.Say("mlockall: ", err)
		return
	}
	r, err := Create(args[0], &Options{Size: 256 << 20})
	testproc.Must(err)
	c, err := r.OpenObject(sizedSpec("o", 64<<10))
	testproc.Must(err)
	testproc.Say("made")
	testproc.Hear()
	resident := func() (kib int) {
		b, err := os.ReadFile("/proc/self/statm")
		testproc.Must(err)
		fmt.Sscan(string(b), new(int), &kib)
		return kib * 4
	}
	before := resident()
	testproc.Must(r.Close())
	testproc.Say("closed")
	testproc.Say(before, resident())
	c.KeepAlive()
})

// No inode left is no room, with the figures, as no byte left is.
func TestNoInodeLeft(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tandem-test", dir, "tmpfs", 0, "size=4m,nr_inodes=3"); err != nil {
		t.Skipf("cannot mount a tmpfs of 3 inodes: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	o := &Options{Size: 1 << 20, Objects: 8, Participants: 2}
	var err error
	for i := range 4 {
		var r *Region
		if r, err = Create(filepath.Join(dir, fmt.Sprint("r", i)), o); err != nil {
			break
		}
		defer r.Close()
	}
	wantErr(t, err, ErrNoSpace)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "room for 0 files of 3 and ") {
		t.Errorf("%v", err)
	}
}

// A ramfs has no fallocate, and no files without a name on some systems.
func TestRamfs(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tandem-test", dir, "ramfs", 0, ""); err != nil {
		t.Skipf("cannot mount a ramfs: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "region")
	storedRegion(t, path, 2)
	sparse(t, path, path+"-copy")
	for _, p := range []string{path, path + "-copy"} {
		r := testproc.Get(OpenOrCreate(p, nil))(t)
		openOK(t, r.Existing(), sizedSpec("o1", 0)).KeepAlive()
		checkOK(t, r)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
