package shm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

const bigObject = 8 << 20

// comesBack waits until the region's file takes no more than it did with so many
// bytes, though nobody changes the directory.
func comesBack(t testing.TB, path string, empty int64) {
	t.Helper()
	for end := time.Now().Add(testproc.Patience); blocks(t, path) > empty+64<<10; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the file takes %d bytes, want some %d", blocks(t, path), empty)
		}
	}
}

// bigKeeper: path what. Opens "big" and keeps it until it is told to close the
// region, or, where what is "making", is for ever making it.
var bigKeeper = testproc.Role("big keeper", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	s := sizedSpec("big", bigObject)
	if create := s.Create; args[1] == "making" {
		s.Create = func(n int) ([]object.Field, uint64, func(mem.Area), error) {
			fields, size, _, err := create(n)
			return fields, size, func(mem.Area) {
				testproc.Say("open")
				testproc.Hear()
				select {}
			}, err
		}
	}
	c, err := r.OpenObject(s)
	testproc.Must(err)
	testproc.Say("open")
	if _, ok := testproc.Hear(); ok {
		testproc.Must(r.Close())
		testproc.Say("closed")
		testproc.Hear()
	}
	c.KeepAlive()
})

// The memory of a removed object comes back with the end of the last who had it
// open, and that of one which was being made with its maker's.
func TestMemoryComesBackByItself(t *testing.T) {
	for _, tt := range []struct {
		name string
		what string
		end  func(t *testing.T, r *Region, c *testproc.Child)
	}{
		{"its user is killed", "open", func(t *testing.T, r *Region, c *testproc.Child) {
			if err := r.Remove("big"); err != nil {
				t.Fatal(err)
			}
			c.Kill()
		}},
		{"its user closes the region", "open", func(t *testing.T, r *Region, c *testproc.Child) {
			if err := r.Remove("big"); err != nil {
				t.Fatal(err)
			}
			c.Say("close")
			c.Expect("closed")
		}},
		{"its maker is killed", "making", func(t *testing.T, r *Region, c *testproc.Child) { c.Kill() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, path := newRegion(t, &Options{Size: 64 << 20})
			empty := blocks(t, path)
			c := bigKeeper.Start(t, path, tt.what)
			c.Expect("open")
			if n := blocks(t, path); n < empty+bigObject {
				t.Fatalf("the file takes %d bytes, %d without the object", n, empty)
			}
			tt.end(t, r, c)
			comesBack(t, path, empty)
			checkOK(t, r)
		})
	}
}

// lockKeeper: path. Holds the directory's lock until it is told to let go of it.
var lockKeeper = testproc.Role("lock keeper", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	l, err := r.a.lockDirectory()
	testproc.Must(err)
	testproc.Say("locked")
	testproc.Hear()
	l.unlock()
	testproc.Say("unlocked")
	testproc.Hear()
})

// Who leaves does not wait for one who keeps the directory's lock, while it finds
// memory for a big object perhaps; that one takes back what was left.
func TestMemoryComesBackThoughTheLockIsHeld(t *testing.T) {
	r, path := newRegion(t, &Options{Size: 64 << 20})
	empty := blocks(t, path)
	user := bigKeeper.Start(t, path, "open")
	user.Expect("open")
	if err := r.Remove("big"); err != nil {
		t.Fatal(err)
	}
	keeper := lockKeeper.Start(t, path)
	keeper.Expect("locked")
	user.Say("close")
	user.Expect("closed")
	if n := blocks(t, path); n < empty+bigObject {
		t.Fatalf("the file takes %d bytes while the lock is held, %d without the object", n, empty)
	}
	keeper.Say("unlock")
	keeper.Expect("unlocked")
	comesBack(t, path, empty)
	checkOK(t, r)
}

// Who is told again and again that there is something to collect, and finds
// nothing, does not go on for ever.
func TestCollectingEnds(t *testing.T) {
	a := newHeapRegion(t, 1<<20, 2, 8).attach(0).a
	locks := 0
	a.collectWanted(func() (*dirLock, error) {
		if locks++; locks == 100 {
			t.Fatal("it has taken the lock 99 times")
		}
		l, err := a.lockDirectory()
		mem.Or64(a.W64(256), 1<<30|1<<31) // abandoned, and wanted
		return l, err
	}, 8)
	if locks < 2 {
		t.Errorf("it has looked %d times, though the lock was wanted meanwhile", locks)
	}
}

// Nor does one that finds removed objects linked in a circle, whether it looks at all of them
// at once, as those do who leave, or at some.
func TestCollectingACircleEnds(t *testing.T) {
	for _, steps := range []uint32{1, 8} {
		h := newHeapRegion(t, 1<<20, 2, 8)
		r, other := h.attach(0), h.attach(1)
		for _, name := range []string{"one", "two"} {
			mine := testproc.Get(r.OpenObject(sizedSpec(name, 64)))(t)
			defer mine.KeepAlive()
			theirs := testproc.Get(other.OpenObject(sizedSpec(name, 64)))(t)
			defer theirs.KeepAlive()
			testproc.OK(t, r.Remove(name))
		}
		a := r.a
		last := mem.Load32(a.Dir32(region.DirRemoved)) - 1
		for n := mem.Load32(a.Ent32(last, region.EntNext)); n != 0; n = mem.Load32(a.Ent32(last, region.EntNext)) {
			last = n - 1
		}
		mem.Store32(a.Ent32(last, region.EntNext), mem.Load32(a.Dir32(region.DirRemoved)))
		if !a.toReclaim() {
			t.Fatal("a chain without an end is nothing to look at")
		}
		locks := 0
		a.collectWanted(func() (*dirLock, error) {
			if locks++; locks == 100 {
				t.Fatal("it has taken the lock 99 times")
			}
			return a.lockDirectory()
		}, steps)
	}
}

// bigRemover: path. Dies with a removed object open.
var bigRemover = testproc.Role("big remover", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	c, err := r.OpenObject(sizedSpec("big", bigObject))
	testproc.Must(err)
	testproc.Must(r.Remove("big"))
	testproc.Say("removed")
	testproc.Hear()
	c.KeepAlive()
})

// What those left who all died comes back with the next who attaches, also if it
// does so in the place of the dead one.
func TestMemoryComesBackWithTheNext(t *testing.T) {
	for _, participants := range []int{1, 2} {
		r, path := newRegion(t, &Options{Size: 64 << 20, Participants: participants})
		empty := blocks(t, path)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		c := bigRemover.Start(t, path)
		c.Expect("removed")
		c.Kill()
		if n := blocks(t, path); n < empty+bigObject {
			t.Fatalf("the file takes %d bytes, %d without the object", n, empty)
		}
		next := testproc.Get(Open(path, nil))(t)
		defer next.Close()
		comesBack(t, path, empty)
	}
}

// And with a handle that was dropped, when the collector finds it.
func TestMemoryComesBackWithADroppedHandle(t *testing.T) {
	r, path := newRegion(t, &Options{Size: 64 << 20})
	empty := blocks(t, path)
	core := openOK(t, r, sizedSpec("big", bigObject))
	if err := r.Remove("big"); err != nil {
		t.Fatal(err)
	}
	core.KeepAlive()
	collectUntil(t, func() bool { return blocks(t, path) <= empty+64<<10 })
}

// And of an object that lies before those which a creator has looked at, and found open.
func TestMemoryComesBackBehindACreator(t *testing.T) {
	r, path := newRegion(t, &Options{Size: 64 << 20})
	var kept []*object.Core
	for i := range collectSome + 4 {
		name := fmt.Sprint("kept", i)
		kept = append(kept, openOK(t, r, lockOf(name)))
		testproc.OK(t, r.Remove(name))
	}
	empty := blocks(t, path)
	core := openOK(t, r, sizedSpec("big", bigObject))
	testproc.OK(t, r.Remove("big"))
	openOK(t, r, lockOf("new"))
	if r.a.nextCollected == 0 {
		t.Error("the creator has left off nowhere")
	}
	core.KeepAlive()
	collectUntil(t, func() bool { return blocks(t, path) <= empty+64<<10 })
	for _, core := range kept {
		core.KeepAlive()
	}
}

// A snapshot tells what somebody has open from what nobody has.
func TestSnapshotCountsOpeners(t *testing.T) {
	h := newHeapRegion(t, 1<<20, 2, 8)
	r, other := h.attach(0), h.attach(1)
	core := openOK(t, other, lockOf("a"))
	if err := r.Remove("a"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 removed and still open,", "0 removed and still open, 1 removed that nobody has open,"} {
		if s := testproc.Get(r.Snapshot())(t).String(); !strings.Contains(s, want) {
			t.Errorf("%s\nwant %s", s, want)
		}
		r.a.ClearOpener(1, 0)
	}
	core.KeepAlive()
}
