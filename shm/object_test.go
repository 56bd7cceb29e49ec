package shm

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

func TestOpenObjectTwiceIsOneCore(t *testing.T) {
	h := newHeapRegion(t, 1<<20, 2, 16)
	r := h.attach(0)
	fields := []object.Field{{Name: "capacity", Value: "8"}, {Name: "type", Value: ". int64 @0\nsize 8 align 8\n"}}
	c := openOK(t, r, lockOf("a", fields...))
	if got := openOK(t, r, lockOf("a", fields...)); got.Whole() != c.Whole() {
		t.Error("a second open made another Core")
	}
	if got := openOK(t, r, lockOf("a", object.Field{Name: "capacity"})); got.Whole() != c.Whole() {
		t.Error("a field left open was not accepted")
	}
	other := openOK(t, h.attach(1), lockOf("a"))
	if other.Whole() == c.Whole() || other.Area.Ptr(0, 8) != c.Area.Ptr(0, 8) {
		t.Error("another participant has another object")
	}
	if !slices.Equal(other.Fields, fields) {
		t.Errorf("fields read from the region: %q, want %q", other.Fields, fields)
	}
	if other.Area.Size() != engine.MutexSize || other.Ref != (object.Ref{Region: r.a.id, Dev: r.a.file.Dev, Ino: r.a.file.Ino, Kind: uint32(engine.KindMutex), Object: "a", Generation: 1}) {
		t.Errorf("%d bytes, ref %v", other.Area.Size(), other.Ref)
	}
	checkOK(t, r)
}

func TestMismatchSaysWhatDiffers(t *testing.T) {
	h := newHeapRegion(t, 1<<20, 2, 16)
	r := h.attach(0)
	openOK(t, r, lockOf("a",
		object.Field{Name: "type", Value: "N int64 @0\nsize 8 align 8\n"},
		object.Field{Name: "capacity", Value: "8"}, object.Field{Name: "codec", Value: "cbor"}))
	before := h.image()
	second := h.attach(1)
	before = h.image()
	for _, tt := range []struct {
		name string
		spec object.Spec
		want []string
	}{
		{"kind", object.Spec{Op: "o", Kind: engine.KindValue, Name: "a"}, []string{"kind", "mutex", engine.KindValue.String()}},
		{"field", lockOf("a", object.Field{Name: "capacity", Value: "16"}), []string{"capacity: 16 here, 8 in the region"}},
		{"fields", lockOf("a", object.Field{Name: "capacity", Value: "16"}, object.Field{Name: "codec", Value: "gob"}), []string{"capacity: 16 here, 8", "codec: gob here, cbor"}},
		{"no field", lockOf("a", object.Field{Name: "mode", Value: "lossy"}), []string{"mode: lossy here, none in"}},
		{"type", lockOf("a", object.Field{Name: "type", Value: "N float64 @0\nsize 8 align 8\n"}), []string{"N", "float64 here, int64 in the region"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []*Region{r, second} { // with a Core, and without
				_, err := r.OpenObject(tt.spec)
				wantErr(t, err, ErrMismatch)
				for _, s := range append(tt.want, "heap/a") {
					if !strings.Contains(err.Error(), s) {
						t.Errorf("%v: %q is missing", err, s)
					}
				}
			}
			if !slices.Equal(before, h.image()) {
				t.Error("a refused open changed the region")
			}
		})
	}
}

func TestObjectNames(t *testing.T) {
	r := newHeapRegion(t, 1<<20, 2, 16).attach(0)
	for _, name := range []string{"", ".", "..", "a/b", "a b", "ä", "a\x00", strings.Repeat("x", 201)} {
		_, err := r.OpenObject(lockOf(name))
		wantErr(t, err, fs.ErrInvalid)
		wantErr(t, r.Remove(name), fs.ErrInvalid)
	}
	for _, name := range []string{"a", "...", "-", "A.b_c-9", strings.Repeat("x", 200), "12345678", "123456789"} {
		c := openOK(t, r, lockOf(name))
		if c.Name != name || openOK(t, r, lockOf(name)).Whole() != c.Whole() {
			t.Errorf("%q was not found again", name)
		}
	}
	checkOK(t, r)
}

func TestExistingNamesTheNearest(t *testing.T) {
	r := newHeapRegion(t, 1<<20, 2, 64).attach(0)
	for _, n := range []string{"jobs", "results", "results-done", "config", "x"} {
		openOK(t, r, lockOf(n))
	}
	for name, want := range map[string]string{"job": `"jobs"`, "jbos": `"jobs"`, "Jobs": `"jobs"`, "result": `"results"`, "resultsdone": `"results-done"`, "zzz": ""} {
		ex := &Region{a: r.a, existing: true, closed: r.closed}
		_, err := ex.OpenObject(lockOf(name))
		wantErr(t, err, fs.ErrNotExist)
		if has := strings.Contains(err.Error(), "did you mean"); has != (want != "") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		wantErr(t, r.Remove(name), fs.ErrNotExist)
	}
	ex := &Region{a: r.a, existing: true, closed: r.closed}
	openOK(t, ex, lockOf("jobs"))
	if n := r.Objects(); len(slices.Collect(n)) != 5 {
		t.Errorf("objects: %v", slices.Collect(n))
	}
}

func TestCreateError(t *testing.T) {
	r := newHeapRegion(t, 1<<20, 2, 16).attach(0)
	s := lockOf("a")
	s.Create = func(int) ([]object.Field, uint64, func(mem.Area), error) {
		return nil, 0, nil, fmt.Errorf("no length: %w", fs.ErrNotExist)
	}
	_, err := r.OpenObject(s)
	wantErr(t, err, fs.ErrNotExist)
	checkOK(t, r)
}

func TestDirectoryFull(t *testing.T) {
	r := newHeapRegion(t, 1<<20, 2, 16).attach(0)
	var cores []*object.Core
	for i := range 16 {
		cores = append(cores, openOK(t, r, lockOf(fmt.Sprint("o", i))))
	}
	_, err := r.OpenObject(lockOf("one-more"))
	wantErr(t, err, ErrNoSpace)
	if !strings.Contains(err.Error(), "16 objects of at most 16") {
		t.Error(err)
	}
	openOK(t, r, lockOf("o7"))
	if err := r.Remove("o3"); err != nil {
		t.Fatal(err)
	}
	// o3 is open here: its entry is not free yet.
	_, err = r.OpenObject(lockOf("one-more"))
	wantErr(t, err, ErrNoSpace)
	if !strings.Contains(err.Error(), "1 removed") {
		t.Error(err)
	}
	runtime.KeepAlive(cores)
	checkOK(t, r)
	cores = nil
	collectUntil(t, func() bool { return !r.a.Opened(3) })
	openOK(t, r, lockOf("one-more"))
	checkOK(t, r)
}

// collectUntil collects garbage until ok: drops what is unreachable until ok.
func collectUntil(t testing.TB, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatal("handles that nothing reaches are still open after a minute")
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}

func TestHeapFull(t *testing.T) {
	r := newHeapRegion(t, 1<<20, 2, 16).attach(0)
	heap := r.a.Geo.HeapSize()
	_, err := r.OpenObject(sizedSpec("big", heap))
	wantErr(t, err, ErrNoSpace)
	for _, n := range []uint64{heap + engine.MutexSize, heap} {
		if !strings.Contains(err.Error(), fmt.Sprint(n)) {
			t.Errorf("%v: %d is missing", err, n)
		}
	}
	openOK(t, r, sizedSpec("all", heap-engine.MutexSize))
	_, err = r.OpenObject(lockOf("one-more"))
	wantErr(t, err, ErrNoSpace)
	_, err = r.OpenObject(sizedSpec("absurd", 1<<63))
	wantErr(t, err, ErrNoSpace)
	checkOK(t, r)
}

// Who finds no room though there seems to be enough is told that it is in pieces.
func TestHeapInPieces(t *testing.T) {
	const piece = 256 << 10
	r := newHeapRegion(t, 4*piece+(64<<10), 2, 16).attach(0)
	free := r.a.FreeBytes()
	names := []string{"a", "b", "c"}
	for _, name := range names {
		openOK(t, r, sizedSpec(name, piece-engine.MutexSize))
	}
	rest := r.a.FreeBytes()
	for _, name := range []string{"a", "c"} {
		if err := r.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.OpenObject(sizedSpec("big", free-piece-engine.MutexSize))
	wantErr(t, err, ErrNoSpace)
	if want := fmt.Sprintf("%d free in the region (of %d) in pieces of at most %d, ", free-piece, free, piece+rest); !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("%v, want %q in it", err, want)
	}
	_, err = r.OpenObject(sizedSpec("bigger", free))
	wantErr(t, err, ErrNoSpace)
	if strings.Contains(fmt.Sprint(err), "pieces") {
		t.Errorf("%v: in one piece it would not be enough either", err)
	}
}

func TestRemoveAsUnlink(t *testing.T) {
	h := newHeapRegion(t, 1<<20, 4, 64)
	r, other := h.attach(0), h.attach(1)
	old := openOK(t, other, sizedSpec("a", 10000))
	payload := old.Area.Bytes(engine.MutexSize, 10000)
	for i := range payload {
		payload[i] = 0xee
	}
	if err := r.Remove("a"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, r.Remove("a"), fs.ErrNotExist)
	young := openOK(t, r, sizedSpec("a", 10000))
	if young.Area.Ptr(0, 1) == old.Area.Ptr(0, 1) {
		t.Fatal("the memory of an open object was given to another")
	}
	for i := range 20 {
		openOK(t, r, sizedSpec(fmt.Sprint("b", i), 10000))
	}
	for i, b := range payload {
		if b != 0xee {
			t.Fatalf("byte %d of an open object changed", i)
		}
	}
	h.kill(other)
	i := slices.IndexFunc(slices.Collect(r.Objects()), func(o Object) bool { return o.Name == "a" })
	if i < 0 {
		t.Fatal("the new object is gone")
	}
	free := r.a.FreeBytes()
	openOK(t, r, sizedSpec("c", 10000)) // this creator takes the memory back
	if got := r.a.FreeBytes(); got != free {
		t.Errorf("%d bytes free after an object was taken back for one of the same size, want %d", got, free)
	}
	checkOK(t, r)
}

func TestCollectedHandleOfALiveObjectKeepsItsBit(t *testing.T) {
	h := newHeapRegion(t, 1<<20, 2, 16)
	r, other := h.attach(0), h.attach(1)
	openOK(t, r, lockOf("a"))
	openOK(t, r, lockOf("gone"))
	if err := other.Remove("gone"); err != nil {
		t.Fatal(err)
	}
	collectUntil(t, func() bool { r.a.sweep(); return !r.a.Opened(1) })
	runtime.GC()
	if !r.a.IsOpener(0, 0) {
		t.Error("what this process may hold in a live object would not be recovered")
	}
	c := openOK(t, r, lockOf("a"))
	m, _ := engine.AttachMutex(c.Area, c.Env)
	if ok, err := m.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	c2 := openOK(t, other, lockOf("a"))
	if err := other.Remove("a"); err != nil {
		t.Fatal(err)
	}
	// The holder can never unlock once it has no handle: as if it had died.
	c, m = nil, nil
	collectUntil(t, func() bool { return !r.a.IsOpener(0, 0) })
	m2, _ := engine.AttachMutex(c2.Area, c2.Env)
	if _, err := m2.TryLock(); err != ErrOwnerDied {
		t.Errorf("TryLock = %v, want %v", err, ErrOwnerDied)
	}
	checkOK(t, r)
}

// Many objects of all sizes come and go; at the end the heap is one run again.
func TestHeapComesBack(t *testing.T) {
	h := newHeapRegion(t, 4<<20, 2, 128)
	r := h.attach(0)
	rnd := rand.New(rand.NewPCG(1, 2))
	live := map[string]bool{}
	for n := range 2000 {
		if len(live) < 100 && rnd.IntN(2) == 0 {
			name := fmt.Sprint("o", n)
			extra := uint64(rnd.IntN(300))
			if rnd.IntN(4) == 0 {
				extra = uint64(rnd.IntN(60000))
			}
			c := openOK(t, r, sizedSpec(name, extra))
			if c.Area.Size() >= region.HeapPage && uintptr(c.Area.Ptr(0, 1))%128 != 0 {
				t.Fatal("alignment")
			}
			for i := range c.Area.Bytes(0, c.Area.Size())[:] {
				if i >= 128 {
					c.Area.Bytes(0, c.Area.Size())[i] = 0xff
				}
			}
			live[name] = true
		} else {
			for name := range live {
				if err := r.Remove(name); err != nil {
					t.Fatal(err)
				}
				delete(live, name)
				break
			}
		}
		if n%50 == 0 {
			checkOK(t, r)
			forget(r)
		}
	}
	for name := range live {
		if err := r.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	openOK(t, r, lockOf("last"))
	if err := r.Remove("last"); err != nil {
		t.Fatal(err)
	}
	forget(r)
	l := testproc.Get(r.a.lockDirectory())(t)
	if err := r.a.collect(r.a.Geo.Objects); err != nil {
		t.Fatal(err)
	}
	l.unlock()
	if x := r.a.Extent(0); x != (region.Extent{Off: r.a.Geo.HeapOff, Size: r.a.Geo.HeapSize()}) {
		t.Errorf("the first free run is %v, want the whole heap", x)
	}
	checkOK(t, r)
}
