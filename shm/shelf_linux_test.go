package shm

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/testproc"
)

func connSpec() object.Spec { return sizedSpec("conn", bigObject) }

// shelver: path, whether it sees to the shelf. Makes and closes what has no name, and closes
// the region when it is told to.
var shelver = testproc.Role("shelver", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	c, err := r.a.MakeUnnamed(connSpec())
	testproc.Must(err)
	r.a.shelf.seenTo.Store(args[1] == "unseen") // so the Close comes before V3
	r.a.CloseUnnamed(c, false)
	if args[1] == "unseen" {
		r.a.shelf.seenTo.Store(false)
	}
	testproc.Say("left")
	if _, ok := testproc.Hear(); ok {
		testproc.Must(r.Close())
		testproc.Say("closed")
		testproc.Hear()
	}
})

func kept(t testing.TB, r *Region) int {
	t.Helper()
	s := testproc.Get(r.Snapshot())(t)
	for limit := testproc.Watchdog(t); s.Directory.Unopened > 0 && limit.Err() == nil; time.Sleep(time.Millisecond) {
		s = testproc.Get(r.Snapshot())(t) // what is about to go back
	}
	if n := len(s.Streams) + len(s.Removed); n > 0 || s.Memory.Used != 0 {
		t.Errorf("%d bytes are used, in %d removed objects", s.Memory.Used, n)
	}
	if n, says := s.Directory.Kept, fmt.Sprintf("%d kept for the next connections, ", s.Directory.Kept); strings.Contains(s.String(), says) != (n > 0) {
		t.Errorf("%d kept, and it is shown as\n%v", n, s)
	}
	return s.Directory.Kept
}

// The memory of what has ended is the next one's, with its pages as they are; when nobody
// has come for some time it goes back.
func TestShelf(t *testing.T) {
	r, path := newRegion(t, &Options{Size: 128 << 20})
	empty := blocks(t, path)
	r.a.shelf.faster = 3
	s := connSpec()
	s.Zeroed = engine.MutexSize
	create := s.Create
	s.Create = func(n int) ([]object.Field, uint64, func(mem.Area), error) {
		fields, size, _, err := create(n)
		return fields, size, func(a mem.Area) { engine.InitMutex(a.Sub(0, engine.MutexSize)) }, err
	}
	var at uint64
	for i := range 8 {
		c := testproc.Get(r.a.MakeUnnamed(s))(t)
		b := c.Area.Bytes(engine.MutexSize, 1<<20)
		if e := r.a.Entry(c.Entry); i == 0 {
			at = e.Off
			b[len(b)-1] = 0x5a
		} else if e.Off != at || b[len(b)-1] != 0x5a {
			t.Errorf("number %d lies at %d, the first lay at %d; its last byte is %#x", i, e.Off, at, b[len(b)-1])
		}
		if !bytes.Equal(c.Area.Bytes(0, 4), make([]byte, 4)) {
			t.Errorf("number %d is born locked", i)
		}
		m := testproc.Get(engine.AttachMutex(c.Area, c.Env))(t)
		if ok, err := m.TryLock(); !ok || err != nil {
			t.Errorf("number %d: %v, %v", i, ok, err)
		}
		r.a.CloseUnnamed(c, i%2 == 0)
		if n := kept(t, r); n != 1 {
			t.Errorf("%d kept", n)
		}
	}
	if n := blocks(t, path); n < empty+bigObject {
		t.Errorf("the file takes %d bytes, %d without what is kept", n, empty)
	}
	comesBack(t, path, empty)
	if n := kept(t, r); n != 0 {
		t.Errorf("%d kept", n)
	}
	checkOK(t, r)
}

// What is kept stays for a turn, at least.
func TestShelfStays(t *testing.T) {
	r, _ := newRegion(t, &Options{Size: 64 << 20})
	c := testproc.Get(r.a.MakeUnnamed(connSpec()))(t)
	r.a.shelf.seenTo.Store(true) // turns are this test's
	r.a.CloseUnnamed(c, false)
	for turn, want := range []int{1, 0} {
		r.a.airShelf()
		if n := kept(t, r); n != want {
			t.Errorf("turn %d: %d kept, want %d", turn, n, want)
		}
	}
}

// Of a crowd that has left nothing is kept, though some go on one after the other.
func TestShelfOfACrowd(t *testing.T) {
	r, path := newRegion(t, &Options{Size: 256 << 20})
	empty := blocks(t, path)
	r.a.shelf.faster = 50
	var all []*object.Core
	for range 20 {
		all = append(all, testproc.Get(r.a.MakeUnnamed(connSpec()))(t))
	}
	for _, c := range all {
		r.a.CloseUnnamed(c, false)
	}
	for limit := testproc.Watchdog(t); ; {
		r.a.CloseUnnamed(testproc.Get(r.a.MakeUnnamed(connSpec()))(t), false)
		if n := blocks(t, path); n < empty+2*bigObject {
			break
		}
		if limit.Err() != nil {
			t.Fatalf("the file takes %d bytes", blocks(t, path))
		}
	}
	comesBack(t, path, empty)
}

// Who has left something there may be gone before its time.
func TestShelfOfTheGone(t *testing.T) {
	for _, end := range []string{"killed", "closed", "unseen"} {
		t.Run(end, func(t *testing.T) {
			r, path := newRegion(t, &Options{Size: 128 << 20})
			empty := blocks(t, path)
			r.a.shelf.faster = 20
			c := shelver.Start(t, path, end)
			c.Expect("left")
			if n := blocks(t, path); n < empty+bigObject {
				t.Errorf("the file takes %d bytes, %d without what is kept", n, empty)
			}
			if end == "killed" {
				c.Kill()
			} else {
				c.Say("close")
				c.Expect("closed")
			}
			comesBack(t, path, empty)
			checkOK(t, r)
		})
	}
}

// Of memory that is to be zero in its beginning alone the rest may hold anything.
func TestZeroedInPart(t *testing.T) {
	r, _ := newRegion(t, nil)
	neighbour := openOK(t, r, lockOf("n")) // or the page would be given back
	first := testproc.Get(r.a.MakeUnnamed(sizedSpec("first", 2000)))(t)
	b := first.Area.Bytes(0, first.Area.Size())
	for i := range b {
		b[i] = 0x5a
	}
	r.a.CloseUnnamed(first, false)
	l := testproc.Get(r.a.lockDirectory())(t)
	r.a.ClearShelf()
	if err := r.a.collect(r.a.Geo.Objects); err != nil {
		t.Error(err)
	}
	l.unlock()
	s := sizedSpec("second", 1900)
	s.Zeroed = 256
	create := s.Create
	s.Create = func(n int) ([]object.Field, uint64, func(mem.Area), error) {
		fields, size, _, err := create(n)
		return fields, size, func(a mem.Area) {
			if !allZero(a.Bytes(0, 256)) || a.Bytes(256, 1)[0] != 0x5a {
				t.Errorf("bytes 255 and 256 are %#x", a.Bytes(255, 2))
			}
		}, err
	}
	second := testproc.Get(r.a.MakeUnnamed(s))(t)
	if second.Area.Ptr(0, 1) != first.Area.Ptr(0, 1) {
		t.Error("it is elsewhere")
	}
	r.a.CloseUnnamed(second, false)
	neighbour.KeepAlive()
}
