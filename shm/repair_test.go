package shm

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/wait"
)

// A scene is a directory with something of everything: live objects, one of
// them opened by a second participant, a removed one that it has open, and
// entries that were used before.
type scene struct {
	*heapRegion
	r, other *Region
	held     []*object.Core // by other
}

func newScene(t testing.TB) *scene {
	t.Helper()
	h := newHeapRegion(t, 512<<10, 4, 12)
	s := &scene{heapRegion: h, r: h.attach(0), other: h.attach(1)}
	for _, n := range []string{"a", "b", "gone", "c", "held"} {
		openOK(t, s.r, sizedSpec(n, uint64(len(n))*1500))
	}
	for _, n := range []string{"a", "held"} {
		s.held = append(s.held, openOK(t, s.other, lockOf(n)))
	}
	// Participant 0 leaves, so that what it removed is nobody's.
	h.kill(s.r)
	s.r = h.attach(0)
	for _, n := range []string{"gone", "held"} {
		if err := s.r.Remove(n); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range s.held {
		b := c.Area.Bytes(engine.MutexSize, c.Area.Size()-engine.MutexSize)
		for i := range b {
			b[i] = 0x5a
		}
	}
	checkOK(t, s.r)
	return s
}

// abandon leaves the directory's lock as the death of its holder does.
func (h *heapRegion) abandon(t testing.TB) {
	t.Helper()
	dead := engine.Self{Index: 3, Epoch: 1}
	area := h.Sub(region.HdrDirLock, engine.MutexSize)
	m := testproc.Get(engine.AttachMutex(area, engine.Env{Self: dead, Wake: wait.Wake}))(t)
	if ok, err := m.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	ops, _ := engine.OpsOf(engine.KindMutex)
	if err := ops.Recover(area, engine.Env{Wake: wait.Wake}, dead); err != nil {
		t.Fatal(err)
	}
}

// whole fails unless the region has exactly the objects it should, all of its
// structures are right, and what other has open is untouched.
func (s *scene) whole(t testing.TB, names ...string) {
	t.Helper()
	r := s.attach(2)
	openOK(t, r, sizedSpec("new", 3000))
	var got []string
	for o := range r.Objects() {
		got = append(got, o.Name)
	}
	slices.Sort(got)
	if want := slices.Sorted(slices.Values(append(names, "new"))); !slices.Equal(got, want) {
		t.Errorf("objects %v, want %v", got, want)
	}
	checkOK(t, r)
	for _, c := range s.held {
		for i, b := range c.Area.Bytes(engine.MutexSize, c.Area.Size()-engine.MutexSize) {
			if b != 0x5a {
				t.Fatalf("byte %d of %s, which is open, is %#x", i, c.Name, b)
			}
		}
	}
}

func garble(h *heapRegion, off, n uint64) {
	rnd := rand.New(rand.NewPCG(off, n))
	for i := range h.Bytes(off, n) {
		h.Bytes(off, n)[i] = byte(rnd.Uint32())
	}
}

// Whatever derived words are lost, the entries give them back.
func TestRepairFromTheEntries(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(h *heapRegion, w *words)
	}{
		{"nothing", func(h *heapRegion, w *words) {}},
		{"buckets", func(h *heapRegion, w *words) { garble(h, h.g.BucketsOff, h.g.Buckets*4) }},
		{"extents", func(h *heapRegion, w *words) { garble(h, h.g.ExtentsOff, uint64(h.g.Objects+1)*region.ExtentSize) }},
		{"line", func(h *heapRegion, w *words) { garble(h, region.HdrDir+region.DirFree, region.DirGen+8-region.DirFree) }},
		{"links", func(h *heapRegion, w *words) {
			for i := range h.g.Objects {
				garble(h, h.g.EntryAt(i)+region.EntNext, 4)
			}
		}},
		{"loops", func(h *heapRegion, w *words) {
			for i := range h.g.Objects {
				mem.Store32(w.Ent32(i, region.EntNext), i+1)
			}
		}},
		{"all", func(h *heapRegion, w *words) {
			garble(h, h.g.BucketsOff, h.g.HeapOff-h.g.BucketsOff)
			garble(h, region.HdrDir+region.DirFree, region.DirGen+8-region.DirFree)
			for i := range h.g.Objects {
				garble(h, h.g.EntryAt(i)+region.EntNext, 4)
			}
		}},
		{"about to be given back", func(h *heapRegion, w *words) {
			for i := range h.g.Objects {
				if w.EntryState(i) == region.EntRemoved {
					mem.Store32(w.Ent32(i, region.EntState), region.EntVoid)
				}
			}
		}},
		{"half made", func(h *heapRegion, w *words) {
			for i := range h.g.Objects {
				if w.EntryState(i) == region.EntFree {
					garble(h, h.g.EntryAt(i)+4, region.EntrySize-4)
				}
			}
		}},
	} {
		for _, how := range []string{"abandoned", "abandoned and odd", "odd"} {
			t.Run(tt.name+" "+how, func(t *testing.T) {
				s := newScene(t)
				w := &words{region.On(s.Area, s.g)}
				if how != "odd" {
					s.abandon(t)
				}
				if how != "abandoned" {
					w.BeginChange()
				}
				tt.damage(s.heapRegion, w)
				if how == "abandoned" && tt.name != "nothing" {
					// A reader is not told; the next change is.
					openOK(t, s.attach(2), lockOf("new"))
				}
				s.whole(t, "a", "b", "c")
			})
		}
	}
}

// What no repair can make sense of is left as it is, and said.
func TestRepairRefusesImpossibleEntries(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(w *words, i, j uint32) // two live entries
	}{
		{"state", func(w *words, i, j uint32) { mem.Store32(w.Ent32(i, region.EntState), 9) }},
		{"off below", func(w *words, i, j uint32) { mem.Store64(w.Ent64(i, region.EntOff), 0) }},
		{"off beyond", func(w *words, i, j uint32) { mem.Store64(w.Ent64(i, region.EntOff), 1<<63) }},
		{"off unaligned", func(w *words, i, j uint32) { mem.Add64(w.Ent64(i, region.EntOff), 8) }},
		{"size 0", func(w *words, i, j uint32) { mem.Store64(w.Ent64(i, region.EntSize), 0) }},
		{"size beyond", func(w *words, i, j uint32) { mem.Store64(w.Ent64(i, region.EntSize), 1<<40) }},
		{"size overflows", func(w *words, i, j uint32) { mem.Store64(w.Ent64(i, region.EntSize), ^uint64(region.HeapUnit-1)) }},
		{"overlap", func(w *words, i, j uint32) {
			mem.Store64(w.Ent64(i, region.EntOff), mem.Load64(w.Ent64(j, region.EntOff)))
		}},
		{"words", func(w *words, i, j uint32) { mem.Store64(w.Ent64(i, region.EntWords), 1<<50) }},
		{"fields", func(w *words, i, j uint32) { mem.Store32(w.Ent32(i, region.EntFields), 1<<31) }},
		{"kind", func(w *words, i, j uint32) { mem.Store32(w.Ent32(i, region.EntKind), 0) }},
		{"generation 0", func(w *words, i, j uint32) { mem.Store64(w.Ent64(i, region.EntGen), 0) }},
		{"hash", func(w *words, i, j uint32) { mem.Add64(w.Ent64(i, region.EntHash), 1) }},
		{"name's length", func(w *words, i, j uint32) { mem.Store32(w.Ent32(i, region.EntNameLen), 1<<30) }},
		{"no name", func(w *words, i, j uint32) { mem.Store32(w.Ent32(i, region.EntNameLen), 0) }},
		{"name", func(w *words, i, j uint32) { mem.Store64(w.Ent64(i, region.EntName), '/') }},
		{"two of a name", func(w *words, i, j uint32) {
			mem.Store64(w.Ent64(i, region.EntName), mem.Load64(w.Ent64(j, region.EntName)))
			mem.Store64(w.Ent64(i, region.EntHash), mem.Load64(w.Ent64(j, region.EntHash)))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t)
			w := &words{region.On(s.Area, s.g)}
			s.abandon(t)
			w.BeginChange()
			tt.damage(w, 0, 1) // a and b
			before := s.image()
			r := s.attach(2)
			for range 2 {
				_, err := r.OpenObject(lockOf("new"))
				wantErr(t, err, ErrCorrupt)
				wantErr(t, r.Remove("c"), ErrCorrupt)
				_, err = r.OpenObject(lockOf("c"))
				wantErr(t, err, ErrCorrupt)
				wantErr(t, r.Check(), ErrCorrupt)
			}
			after := s.image()
			if !slices.Equal(before[s.g.EntriesOff:s.g.HeapOff], after[s.g.EntriesOff:s.g.HeapOff]) {
				t.Error("a repair that failed changed the directory")
			}
			if _, err := r.Snapshot(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A directory with random damage answers every call, with an object or with
// an error, and nothing leaves its memory (mem.Area panics at that).
func TestDamagedDirectory(t *testing.T) {
	base := newScene(t)
	image := base.image()
	const rounds = 300
	for round := range rounds {
		damaged(t, base, image, uint64(round), nil)
	}
}

func FuzzDirectory(f *testing.F) {
	base := newScene(f)
	image := base.image()
	for i := range uint64(8) {
		f.Add(i, []byte("\x00\x01"))
	}
	f.Fuzz(func(t *testing.T, seed uint64, patch []byte) { damaged(t, base, image, seed, patch) })
}

func damaged(t *testing.T, base *scene, image []byte, seed uint64, patch []byte) {
	h := base.heapRegion
	h.restore(image)
	rnd := rand.New(rand.NewPCG(seed, 99))
	r := h.attach(2)
	// The header's first bytes were copied and checked before any of this.
	at := func() uint64 {
		switch rnd.IntN(4) {
		case 0:
			return region.HdrDirLock + rnd.Uint64N(256)
		case 1:
			return h.g.EntriesOff + rnd.Uint64N(uint64(h.g.Objects)*region.EntrySize)
		case 2:
			return h.g.BucketsOff + rnd.Uint64N(h.g.HeapOff-h.g.BucketsOff)
		}
		return region.HeaderSize + rnd.Uint64N(h.g.HeapOff-region.HeaderSize)
	}
	for range 1 + rnd.IntN(8) {
		if p := h.Bytes(at(), 1); rnd.IntN(2) == 0 {
			p[0] ^= 1 << rnd.IntN(8)
		} else {
			p[0] = byte(rnd.Uint32())
		}
	}
	if len(patch) > 0 {
		copy(h.Bytes(at(), 8), patch)
	}
	say := func(op string, err error) {
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrNoSpace) && !errors.Is(err, ErrMismatch) {
			t.Errorf("seed %d: %s = %v", seed, op, err)
		}
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		for _, n := range []string{"a", "b", "c", "gone", "held", "new"} {
			_, err := r.OpenObject(lockOf(n))
			say("open "+n, err)
			if rnd.IntN(2) == 0 {
				say("remove "+n, r.Remove(n))
			}
		}
		for range r.Objects() {
		}
		s, err := r.Snapshot()
		say("snapshot", err)
		if s != nil {
			_ = s.String()
		}
		r.Check()          // says what it likes
		r.a.uses.mu.Lock() // what the collector calls is over, too, before the next round
		r.a.gate.Shut()
		r.a.uses.mu.Unlock()
		h.kill(r)
	}()
	for end := time.After(time.Minute); ; {
		select {
		case <-done:
			return
		case <-time.After(10 * time.Millisecond): // what the others' guards do
			base.r.a.disown()
			base.other.a.disown()
		case <-end:
			buf := make([]byte, 1<<16)
			t.Fatalf("seed %d: still at it after a minute\n%s", seed, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestCheckFindsDamage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(h *heapRegion, w *words)
	}{
		{"bucket", func(h *heapRegion, w *words) { mem.Store32(w.Bucket(region.HashName("a")), 0) }},
		{"live", func(h *heapRegion, w *words) { mem.Add32(w.Dir32(region.DirLive), 1) }},
		{"free chain", func(h *heapRegion, w *words) { mem.Store32(w.Dir32(region.DirFree), region.FreeEnd) }},
		{"removed chain", func(h *heapRegion, w *words) { mem.Store32(w.Dir32(region.DirRemoved), 0) }},
		{"free run", func(h *heapRegion, w *words) { mem.Add64(w.W64(h.g.ExtentsOff+8), ^uint64(region.HeapUnit-1)) }},
		{"generation", func(h *heapRegion, w *words) { mem.Store64(w.Dir64(region.DirGen), 1) }},
		{"record", func(h *heapRegion, w *words) { mem.Store64(w.W64(h.g.RecordAt(3)+region.RecWord), 7) }},
		{"magic", func(h *heapRegion, w *words) { mem.Store64(w.W64(region.HdrMagic), 7) }},
		{"size", func(h *heapRegion, w *words) { mem.Add64(w.W64(region.HdrSize), 4096) }},
		{"life", func(h *heapRegion, w *words) { mem.Store32(w.W32(region.HdrLife), 7) }},
		{"lock", func(h *heapRegion, w *words) { mem.Store64(w.W64(region.HdrDirLock), 1<<40) }},
		{"object", func(h *heapRegion, w *words) { mem.Store64(w.W64(mem.Load64(w.Ent64(1, region.EntOff))), 1<<40) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t)
			tt.damage(s.heapRegion, &words{region.On(s.Area, s.g)})
			wantErr(t, s.r.Check(), ErrCorrupt)
		})
	}
}

// The directory's lock in the hand of a participant that is not there: nobody
// would ever wake those who wait.
func TestLockOfNobody(t *testing.T) {
	s := newScene(t)
	nobody := engine.Self{Index: 3, Epoch: 77}
	m := testproc.Get(engine.AttachMutex(s.Sub(region.HdrDirLock, engine.MutexSize), engine.Env{Self: nobody, Wake: wait.Wake}))(t)
	if ok, err := m.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	_, err := s.r.OpenObject(lockOf("new"))
	wantErr(t, err, ErrCorrupt)
	openOK(t, s.r, lockOf("b")) // is found without it
	if sn := testproc.Get(s.r.Snapshot())(t); sn.Directory.Holder == nil || sn.Directory.Holder.Epoch != 77 {
		t.Errorf("holder %v, want epoch 77", sn.Directory.Holder)
	}
}

// Whoever recovers a dead one, or leaves, over a directory's lock that is damaged, frees the
// place in the region all the same.
func TestDamagedLockKeepsNoPlace(t *testing.T) {
	for _, word := range []uint64{1 << 40, 1 << 28} {
		h := newHeapRegion(t, 1<<20, 2, 8)
		r := h.attach(0)
		mem.Store64(h.W64(region.HdrDirLock), word)
		w := words{region.On(h.Area, h.g)}
		if !w.recoverObjects(engine.Env{Wake: wait.Wake}, r.a.self) {
			t.Errorf("%#x: its record stays", word)
		}
	}
}
