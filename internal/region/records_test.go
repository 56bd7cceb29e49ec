package region

import (
	"strings"
	"testing"
	"unsafe"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
)

// newMemory is an empty region in ordinary memory.
func newMemory(t testing.TB, size uint64, participants, objects uint32) *Memory {
	t.Helper()
	g, err := NewGeometry(size, participants, objects)
	if err != nil {
		t.Fatal(err)
	}
	w := On(mem.Heap(size), g)
	h := Header{Geometry: g, ID: object.RegionID{1}}
	h.Encode(w.Bytes(0, 4096))
	w.InitDirectory()
	return &w
}

func TestRecord(t *testing.T) {
	w := newMemory(t, 1<<20, 3, 8)
	r := w.Rec(1)
	id := Identity{PID: 11, NS: 22<<32 | 21, Start: 33}
	board := w.Board(1)
	board.ShowRest(5)
	r.Fill(id, strings.Repeat("n", 70))
	if !r.Move(0, RecordWord(1, StAttaching)) || r.Move(0, RecordWord(1, StAlive)) {
		t.Error("the record's word moves from what it is, and from nothing else")
	}
	if u, word := r.User(); u.PID != 11 || u.Name != strings.Repeat("n", 64) || u.Since == 0 || word != 1<<32|1 {
		t.Errorf("User = %+v, %#x", u, word)
	}
	if got, ok := r.Identity(1); got != id || !ok {
		t.Errorf("Identity(1) = %+v, %v, want %+v", got, ok, id)
	}
	if _, ok := r.Identity(2); ok {
		t.Error("the sum is right in another epoch, too")
	}
	if _, rest := w.Sleeps(1); rest != 0 {
		t.Errorf("%d calls sleep that were the last user's", rest)
	}
	b := w.Bytes(4096+256, 256) // docs/layout.md: pid, namespaces, start time, bytes of the name
	if b[12] != 11 || b[24] != 21 || b[28] != 22 || b[32] != 33 || b[48] != 64 || b[64] != 'n' || b[127] != 'n' {
		t.Errorf("the record's bytes are % x", b)
	}
	if want := int64(4096 + 256); r.ByteOffset() != want {
		t.Errorf("its byte is %d, want %d", r.ByteOffset(), want)
	}
}

// What a record says of its last 32 exits; of those before, it says death.
func TestExits(t *testing.T) {
	w := newMemory(t, 1<<20, 2, 8)
	r := w.Rec(0)
	died := func(epoch uint32) bool { return epoch%3 == 0 || epoch%7 == 1 }
	for epoch := uint32(1); epoch <= 100; epoch++ {
		r.Exited(epoch, died(epoch))
		r.Exited(epoch, died(epoch)) // by who recovers the recoverer
		for e := uint32(1); e <= epoch; e++ {
			if want := epoch-e >= 32 || died(e); r.Died(e) != want {
				t.Fatalf("after epoch %d: Died(%d) = %v, want %v", epoch, e, !want, want)
			}
		}
	}
	r.Exited(200, false) // others were not seen
	if r.Died(200) || r.Died(199) || !r.Died(100) {
		t.Error("an exit long after the last takes over its bits")
	}
}

func TestRecovererWord(t *testing.T) {
	for _, tt := range []struct{ dead, index1, epoch, wantDead uint32 }{
		{5, 0, 0, 5}, {1, 1024, 1<<32 - 1, 1}, {1<<32 - 1, NewcomerIndex, 7, 1<<21 - 1},
	} {
		dead, index1, epoch := UnpackRecoverer(PackRecoverer(tt.dead, tt.index1, tt.epoch))
		if dead != tt.wantDead || index1 != tt.index1 || epoch != tt.epoch {
			t.Errorf("recoverer of %+v: %d, %d, %d", tt, dead, index1, epoch)
		}
	}
}

func TestBoard(t *testing.T) {
	w := newMemory(t, 1<<20, 2, 8)
	mem.CAS64(w.Rec(1).P64(RecWord), 0, RecordWord(1, StAlive))
	b := w.Board(1)
	var elsewhere uint32
	b.Since(0, 40)
	b.Show(0, w.W32(HdrAnswers), 3)
	b.Since(30, 50)
	b.Show(30, w.W32(w.Geo.Size-4), 1<<18) // as many as the word has room for
	b.Show(4, &elsewhere, 9)
	b.ShowRest(2)
	ss, rest := w.Sleeps(1)
	if len(ss) != 2 || rest != 2 || ss[0] != (Sleep{Off: 140, N: 3, Since: 40}) || ss[1] != (Sleep{Off: 1<<20 - 4, N: 1<<18 - 1, Since: 50}) {
		t.Errorf("Sleeps = %+v, %d", ss, rest)
	}
	if errs := w.CheckWaits(); errs != nil {
		t.Error(errs)
	}
	b.Show(4, (*uint32)(unsafe.Add(w.Ptr(0, 8), 2)), 1)
	if errs := w.CheckWaits(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "participant 1: 1 calls that sleep at 2 of 1048576 bytes") {
		t.Errorf("half a word: %v", errs)
	}
	b.Show(4, nil, 0)
	if errs := w.CheckWaits(); errs != nil {
		t.Error(errs)
	}
}
