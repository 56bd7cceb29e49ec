package shm

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

func newRegion(t testing.TB, o *Options) (*Region, string) {
	t.Helper()
	path := testPath(t)
	r := testproc.Get(Create(path, o))(t)
	t.Cleanup(func() { r.Close() })
	return r, path
}

// blocks is how many bytes the region's file takes.
func blocks(t testing.TB, path string) int64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// keeper: path name. Opens the object and keeps it.
var keeper = testproc.Role("keeper", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	c, err := r.Existing().OpenObject(lockOf(args[1]))
	testproc.Must(err)
	payload := c.Area.Bytes(engine.MutexSize, c.Area.Size()-engine.MutexSize)
	payload[0], payload[len(payload)-1] = 1, 2
	testproc.Say("open")
	for {
		if _, ok := testproc.Hear(); !ok {
			return
		}
		testproc.Say(payload[0], payload[len(payload)-1], allZero(payload[1:len(payload)-1]))
		c.KeepAlive()
	}
})

func TestMemoryComesBackAfterTheLastProcess(t *testing.T) {
	r, path := newRegion(t, &Options{Size: 64 << 20})
	const big = 8 << 20
	empty := blocks(t, path)
	core := openOK(t, r, sizedSpec("big", big))
	if n := blocks(t, path); n < empty+big {
		t.Fatalf("%d bytes with the object, %d without: its memory is not allocated", n, empty)
	}
	c := keeper.Start(t, path, "big")
	c.Expect("open")
	if err := r.Remove("big"); err != nil {
		t.Fatal(err)
	}
	again := openOK(t, r, sizedSpec("big", big))
	again.Area.Bytes(engine.MutexSize, big)[1] = 0xff
	c.Say("look")
	c.Expect("1 2 true")
	if n := blocks(t, path); n < empty+2*big {
		t.Errorf("%d bytes: what is open was given back", n)
	}
	core.KeepAlive()
	core = nil
	c.Kill()
	collectUntil(t, func() bool { return !r.a.Opened(0) }) // this process's handle, and the child's
	openOK(t, r, lockOf("next"))
	if n := blocks(t, path); n > empty+big+64<<10 {
		t.Errorf("%d bytes after the removed object's last user died, want some %d", n, empty+big)
	}
	if err := r.Remove("big"); err != nil {
		t.Fatal(err)
	}
	again.KeepAlive()
	again = nil
	collectUntil(t, func() bool { return !r.a.Opened(1) })
	openOK(t, r, lockOf("next2"))
	if n := blocks(t, path); n > empty+64<<10 {
		t.Errorf("%d bytes when both are gone, want some %d", n, empty)
	}
	checkOK(t, r)
}

// A process that dropped its handle lets go of an object when another removes it.
func TestRemoveReachesDroppedHandles(t *testing.T) {
	r, path := newRegion(t, nil)
	openOK(t, r, lockOf("a"))
	c := dropper.Start(t, path)
	c.Expect("dropped")
	if !r.a.IsOpener(1, 0) {
		t.Fatal("the child should keep the bit of a live object")
	}
	if err := r.Remove("a"); err != nil {
		t.Fatal(err)
	}
	collectUntil(t, func() bool { return !r.a.Opened(0) })
	checkOK(t, r)
}

var dropper = testproc.Role("dropper", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	func() {
		_, err := r.OpenObject(lockOf("a"))
		testproc.Must(err)
	}()
	a := r.a
	for {
		a.uses.mu.Lock()
		gone := true
		for _, u := range a.uses.m {
			gone = gone && u.core.Value() == nil
		}
		a.uses.mu.Unlock()
		if gone {
			break
		}
		garbage()
	}
	testproc.Say("dropped")
	testproc.Hear()
})

// tinyFS is a tmpfs of n bytes.
func tinyFS(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tandem-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", n)); err != nil {
		t.Skipf("cannot mount a tmpfs of %d bytes: %v", n, err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestFullFileSystem(t *testing.T) {
	path := filepath.Join(tinyFS(t, 2<<20), "region")
	r := testproc.Get(Create(path, &Options{Size: 64 << 20, Objects: 64, Participants: 4}))(t)
	defer r.Close()
	var cores []*object.Core
	for i := 0; ; i++ {
		before := blocks(t, path)
		c, err := r.OpenObject(sizedSpec(fmt.Sprint("o", i), 256<<10))
		if err != nil {
			wantErr(t, err, ErrNoSpace)
			var needed, free, heap, files uint64
			if _, serr := fmt.Sscanf(err.Error()[strings.Index(err.Error(), "no space"):], "no space: %d bytes needed, %d free in the region (of %d), %d free in its file system", &needed, &free, &heap, &files); serr != nil {
				t.Errorf("%v: no figures: %v", err, serr)
			}
			if needed < 256<<10 || free < 60<<20 || files >= needed {
				t.Errorf("%v", err)
			}
			if n := blocks(t, path); n > before {
				t.Errorf("a failed open left %d bytes behind", n-before)
			}
			if i < 4 {
				t.Errorf("only %d objects fit", i)
			}
			break
		}
		payload := c.Area.Bytes(engine.MutexSize, 256<<10)
		for i := range payload {
			payload[i] = 1 // a fault, if it is not allocated
		}
		cores = append(cores, c)
	}
	// Fill the rest, page by page, and then some.
	f, err := os.Create(filepath.Join(filepath.Dir(path), "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			break
		}
	}
	_, err = r.OpenObject(sizedSpec("small", 9000))
	wantErr(t, err, ErrNoSpace)
	ro := testproc.Get(Open(path, &Options{ReadOnly: true}))(t)
	defer ro.Close()
	for _, r := range []*Region{r, ro} {
		checkOK(t, r)
		s := testproc.Get(r.Snapshot())(t)
		if len(s.Objects) != len(cores) || s.Memory.FileFree >= 4096 {
			t.Errorf("%d objects, want %d; %d bytes free", len(s.Objects), len(cores), s.Memory.FileFree)
		}
		if n := len(slices.Collect(r.Objects())); n != len(cores) {
			t.Errorf("%d objects, want %d", n, len(cores))
		}
	}
	// Removing makes room, without any help.
	name := cores[0].Name
	cores = nil
	if err := r.Remove(name); err != nil {
		t.Fatal(err)
	}
	collectUntil(t, func() bool { return !r.a.Opened(0) })
	openOK(t, r, sizedSpec("again", 256<<10))
	checkOK(t, r)
}

func TestTenThousandObjects(t *testing.T) {
	const n = 10000
	r, path := newRegion(t, &Options{Size: 1 << 30, Objects: n})
	specs := make([]object.Spec, n)
	for i := range specs {
		specs[i] = lockOf(fmt.Sprintf("object-%d", i), object.Field{Name: "capacity", Value: strconv.Itoa(i)})
	}
	start := time.Now()
	cores := make([]*object.Core, n)
	for i := range specs {
		cores[i] = openOK(t, r, specs[i])
	}
	made := time.Since(start)
	start = time.Now()
	for i := range specs {
		if openOK(t, r, specs[i]).Whole() != cores[i].Whole() {
			t.Fatal("another Core")
		}
	}
	found := time.Since(start)
	_, err := r.OpenObject(lockOf("one-more"))
	wantErr(t, err, ErrNoSpace)
	steps := 0
	for b := range r.a.Geo.Buckets {
		k := 0
		for e := *r.a.Bucket(b); e != 0; e = *r.a.Ent32(e-1, region.EntNext) {
			k++
		}
		steps = max(steps, k)
	}
	if steps > 12 {
		t.Errorf("a bucket has %d objects", steps)
	}
	start = time.Now()
	checkOK(t, r)
	checked := time.Since(start)
	start = time.Now()
	s := testproc.Get(r.Snapshot())(t)
	shown := time.Since(start)
	if len(s.Objects) != n {
		t.Errorf("%d objects in the snapshot", len(s.Objects))
	}
	start = time.Now()
	for i := range n {
		if err := r.Remove(specs[i].Name); err != nil {
			t.Fatal(err)
		}
	}
	removed := time.Since(start)
	t.Logf("%d objects: made %v, found %v, checked %v, shown %v, removed %v; longest chain %d; file %d bytes",
		n, made, found, checked, shown, removed, steps, blocks(t, path))
	if effort.Bars() && (made > 20*time.Second || found > 2*time.Second) {
		t.Errorf("made in %v, found in %v", made, found)
	}
	for i := range cores {
		cores[i].KeepAlive()
	}
}
