package shm

import (
	"fmt"
	"hash/fnv"
	"path/filepath"
	"runtime"
	"testing"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/testproc"
)

const (
	racers      = 16
	raceObjects = 50
)

// racer: directory. At every "go N" it opens or creates region N and 50
// objects in it, and says what it got.
var racer = testproc.Role("racer", func(args []string) {
	testproc.Say("ready")
	for {
		n, ok := testproc.Hear()
		if !ok {
			return
		}
		r, err := OpenOrCreate(filepath.Join(args[0], n), &Options{Size: 1 << 20})
		testproc.Must(err)
		sum := fnv.New64a()
		var cores []*object.Core
		for i := range raceObjects {
			c, err := r.OpenObject(object.Spec{Op: "test.Open", Kind: engine.KindMutex, Name: fmt.Sprint("object", i),
				Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
					return nil, engine.MutexSize, engine.InitMutex, nil
				}})
			testproc.Must(err)
			cores = append(cores, c)
			fmt.Fprintln(sum, uintptr(c.Area.Ptr(0, 1))-uintptr(r.a.Ptr(0, 1)))
		}
		testproc.Say(r.a.id, sum.Sum64())
		if m, _ := testproc.Hear(); m != "close" {
			return
		}
		testproc.Must(r.Close())
		runtime.KeepAlive(cores)
		testproc.Say("closed")
	}
})

// 16 processes race to open or create a region, and 50 objects in it: they all
// have the same region, and the same objects.
func TestOpenOrCreateRace(t *testing.T) {
	rounds := effort.Or(100, 10)
	dir := testDir(t)
	var cs []*testproc.Child
	for range racers {
		cs = append(cs, racer.Start(t, dir))
	}
	for _, c := range cs {
		c.Expect("ready")
	}
	for n := range rounds {
		name := fmt.Sprint("r", n)
		for _, c := range cs {
			c.Say(name)
		}
		first := cs[0].Line()
		for _, c := range cs[1:] {
			if l := c.Line(); l != first {
				t.Fatalf("round %d: one has region and objects %s, another %s", n, first, l)
			}
		}
		r := testproc.Get(Open(filepath.Join(dir, name), nil))(t)
		if p := len(r.Participants()); p != racers+1 {
			t.Errorf("round %d: %d participants, want %d", n, p, racers+1)
		}
		objects := 0
		for range r.Objects() {
			objects++
		}
		if objects != raceObjects {
			t.Errorf("round %d: %d objects, want %d", n, objects, raceObjects)
		}
		if err := r.Check(); err != nil {
			t.Errorf("round %d: Check: %v", n, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		for _, c := range cs {
			c.Say("close")
		}
		for _, c := range cs {
			c.Expect("closed")
		}
		if err := Remove(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if f := files(t, dir); len(f) != 0 {
		t.Errorf("left: %q", f)
	}
}
