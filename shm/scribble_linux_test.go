package shm

import (
	"context"
	"os"
	"runtime"
	gosync "sync"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// bare is one more participant of r's region in this process, without a guard:
// nothing looks or recovers in its name but what the test calls.
func bare(t testing.TB, r *Region) *attachment {
	t.Helper()
	a := newBare(t, r)
	rec := testproc.Get(a.takeRecord(soon()))(t)
	a.beginWatch()
	rec.Move(region.RecordWord(a.self.Epoch, region.StAttaching), region.RecordWord(a.self.Epoch, region.StAlive))
	return a
}

// newBare is one that has no record yet.
func newBare(t testing.TB, r *Region) *attachment {
	t.Helper()
	a := &attachment{}
	f := testproc.Get(r.File())(t)
	a.private = testproc.Get(sys.Reopen(f, true))(t)
	if err := a.init(regionFile{f: f, id: r.a.file, h: region.Header{Geometry: r.a.Geo}, name: "bare"}, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.private.Close() })
	return a
}

// die is what the others see when a bare participant is killed.
func (a *attachment) die() { a.private.Close() }

// due makes the next look a round: ends are found that nobody tells of.
func (a *attachment) due() { a.watch.shift.round = 0 }

// goAway is what they see when it closes.
func (a *attachment) goAway() {
	a.leave(a.self, a.env, func() {})
	a.private.Close()
}

// unguarded is a region in which no guard is at work.
func unguarded(t testing.TB, o *Options) *Region {
	t.Helper()
	r := testproc.Get(Create(testPath(t), o))(t)
	theGuard.remove(r.a)
	t.Cleanup(func() { r.Close() })
	return r
}

// Whatever is scribbled on the record of a living process, nobody takes
// anything from it, and its word comes back.
func TestScribbledRecordIsNotDead(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	defer r.Close()
	c := holder.Start(t, path, "0", "")
	c.Expect("held")
	m, _, err := lockable(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	rec := r.a.rec(1)
	alive := rec.Word()
	if region.StateOf(alive) != region.StAlive || r.a.rec(1).Alive()&sys.FutexTIDMask == 0 {
		t.Fatalf("record 1 is %#x", alive)
	}
	looker := bare(t, r)
	for _, tt := range []struct {
		name string
		off  uint64
		to   uint64
	}{
		{"pid of nobody, and a name", region.RecPID - 4, 0x7ffffff0<<32 | uint64(rec.Alive())},
		{"negative pid, and suspected", region.RecPID - 4, 0xfffffff0<<32 | 1<<30 | uint64(rec.Alive())},
		{"another start", region.RecStart, 7},
		{"another sum", region.RecSum, 7},
		{"dead", region.RecWord, alive&^0xffffffff | region.StDead},
		{"dead in another epoch", region.RecWord, 77<<32 | region.StDead},
		{"free", region.RecWord, region.RecordWord(region.EpochOf(alive), region.StFree)},
		{"no state", region.RecWord, alive&^0xffffffff | 7},
		{"greatest epoch", region.RecWord, 0xffffffff<<32 | region.StAlive},
	} {
		was := mem.Load64(rec.P64(tt.off))
		mem.Store64(rec.P64(tt.off), tt.to)
		for range 3 {
			looker.look()
			looker.scan()
		}
		if tt.off == region.RecWord {
			r.a.changed()
			for end := time.Now().Add(testproc.Patience); rec.Word() != alive; {
				if time.Now().After(end) {
					t.Fatalf("%s: the word stays %#x, want %#x", tt.name, rec.Word(), alive)
				}
				time.Sleep(100 * time.Microsecond)
			}
		} else {
			r.a.changed()
			looker.look()
			mem.Store64(rec.P64(tt.off), was)
		}
		if rec.Word() != alive {
			t.Fatalf("%s: the word is %#x, want %#x", tt.name, rec.Word(), alive)
		}
		if ok, err := m.TryLock(); ok || err != nil {
			t.Fatalf("%s: TryLock of what it holds = %v, %v, want false, nil", tt.name, ok, err)
		}
	}
	c.Kill()
	w := r.a.list.Waiter(context.Background())
	defer w.Done()
	if err := m.Lock(w); err != ErrOwnerDied {
		t.Errorf("Lock after its death = %v, want ErrOwnerDied", err)
	}
}

// A record in a state that no build writes is free again once its user is gone.
func TestUnknownStateHeals(t *testing.T) {
	r := unguarded(t, &Options{Participants: 2})
	a := bare(t, r)
	rec := r.a.rec(a.self.Index)
	mem.Store64(rec.P64(region.RecWord), region.RecordWord(a.self.Epoch, 7))
	a.die()
	b := bare(t, r)
	if b.self.Index != a.self.Index || b.self.Epoch != a.self.Epoch+1 {
		t.Errorf("the next is %+v, after %+v", b.self, a.self)
	}
}

// A death that nothing tells is found by one look when the backstop goes off,
// however many others there are.
func TestSilencedDeathIsFoundByOneLook(t *testing.T) {
	r := unguarded(t, nil)
	var as []*attachment
	for range 20 {
		as = append(as, bare(t, r))
	}
	for _, dead := range as[5:10] {
		dead.die()
	}
	as[0].look()
	for k, a := range as {
		want := region.RecordWord(a.self.Epoch, region.StAlive)
		if 5 <= k && k < 10 {
			want = region.RecordWord(a.self.Epoch, region.StFree)
		}
		if w := r.a.rec(a.self.Index).Word(); w != want {
			t.Errorf("participant %d: %#x, want %#x", k, w, want)
		}
	}
}

// Exits between two looks are told each once, as what they were.
func TestExitsBetweenTwoLooks(t *testing.T) {
	r := unguarded(t, &Options{Participants: 3})
	looker := bare(t, r)
	sub := &exits{ready: make(chan struct{}, 1), watch: &looker.watch}
	looker.beginTelling(sub)
	told := func(want ...Participant) {
		t.Helper()
		looker.due()
		looker.look()
		for _, p := range sub.queue {
			if len(want) == 0 {
				t.Errorf("told of %+v as well", p)
				continue
			}
			if w := want[0]; p.Epoch != w.Epoch || p.State != w.State || p.PID != w.PID || p.Index != 2 {
				t.Errorf("told of %+v, want %+v", p, w)
			}
			want = want[1:]
		}
		if len(want) > 0 {
			t.Errorf("not told of %+v", want)
		}
		sub.queue = nil
	}
	pid := os.Getpid()
	first := bare(t, r)
	told()
	first.goAway()
	bare(t, r).goAway()
	bare(t, r).die()
	last := bare(t, r) // recovers the third
	told(Participant{Epoch: 1, State: Leaving, PID: pid}, Participant{Epoch: 2, State: Leaving}, Participant{Epoch: 3, State: Dead})
	last.die()
	told(Participant{Epoch: 4, State: Dead, PID: pid})
	bare(t, r).goAway()
	told(Participant{Epoch: 5, State: Leaving, PID: pid})
	six := bare(t, r)
	told()
	six.goAway()
	bare(t, r).die()
	told(Participant{Epoch: 6, State: Leaving, PID: pid}, Participant{Epoch: 7, State: Dead, PID: pid})
	told()
	// A scribbled epoch is a few exits that were none, not billions.
	mem.Store64(r.a.rec(2).P64(region.RecWord), region.RecordWord(1<<31, region.StFree))
	looker.look()
	if len(sub.queue) > 2 {
		t.Errorf("told of %d exits", len(sub.queue))
	}
}

// Two newcomers recover the same dead one, the second since the first died in
// it. Who saw that the first is dead must not take over from the second.
func TestRecoverersHaveNamesOfTheirOwn(t *testing.T) {
	r := unguarded(t, &Options{Participants: 2})
	dead := bare(t, r)
	dead.die()
	rec := r.a.rec(dead.self.Index)
	lock := r.a.W64(region.HdrDirLock)
	mem.Store64(lock, mem.Load64(lock)|1<<31) // so that its recovery wakes

	newcomer := func(inRecovery func()) (*attachment, bool) {
		a := &attachment{}
		f := testproc.Get(r.File())(t)
		a.private = testproc.Get(sys.Reopen(f, true))(t)
		if err := a.init(regionFile{f: f, id: r.a.file, h: region.Header{Geometry: r.a.Geo}, name: "newcomer"}, true); err != nil {
			t.Fatal(err)
		}
		a.env.Wake = func(*uint32, int) int { inRecovery(); return 0 }
		done := make(chan bool)
		go func() {
			ok := false
			defer func() { done <- ok }()
			_, err := a.takeRecord(soon())
			ok = err == nil
		}()
		return a, <-done
	}
	var name uint64
	a, ok := newcomer(func() {
		name = mem.Load64(rec.P64(region.RecRecoverer))
		runtime.Goexit()
	})
	if ok || name == 0 {
		t.Fatalf("the first newcomer took the record: %v; its name was %#x", ok, name)
	}
	a.die()
	b, ok := newcomer(func() {
		// Here is one who had read the first one's name, and found it dead.
		if mem.CAS64(rec.P64(region.RecRecoverer), name, region.PackRecoverer(dead.self.Epoch, 1, 1)) {
			t.Errorf("the recoverer %#x was replaced while it lives", name)
		}
	})
	if !ok || b.self.Index != dead.self.Index {
		t.Errorf("the second newcomer took a record: %v, %+v", ok, b.self)
	}
	b.goAway()
}

// A newcomer that recovers before it has a record does nothing in the name of
// participant 0.
func TestNewcomerTakesTheDeadOnesPlace(t *testing.T) {
	r := unguarded(t, &Options{Participants: 3})
	bare(t, r)
	dead := bare(t, r)
	dead.die()
	rescued := mem.Load64(r.a.rec(0).P64(region.RecRecovered))
	a := bare(t, r)
	if a.self.Index != dead.self.Index {
		t.Fatalf("the newcomer is %+v, want the place of %+v", a.self, dead.self)
	}
	if now := mem.Load64(r.a.rec(0).P64(region.RecRecovered)); now != rescued {
		t.Errorf("participant 0 is said to have recovered %d", now-rescued)
	}
}

// A handle that was dropped must not take the memory away from under a look.
func TestMemoryOutlivesTheLook(t *testing.T) {
	r := testproc.Get(Create(testPath(t), &Options{Participants: 1024}))(t)
	defer r.Close()
	path := r.a.path
	var wg gosync.WaitGroup
	stop := make(chan bool)
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	for range 100 {
		if n := len(testproc.Get(Open(path, &Options{ReadOnly: true}))(t).Participants()); n != 1 {
			t.Errorf("%d participants, want 1", n)
		}
	}
	close(stop)
	wg.Wait()
}

// lateWriter: path. Closes the region, then writes all over where it was.
var lateWriter = testproc.Role("late writer", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	testproc.Must(r.Close())
	b := r.a.Bytes(0, r.a.Geo.HeapOff)
	if !allZero(b) {
		testproc.Say("not zeroes")
	}
	for i := range b {
		b[i] = 0xff
	}
	runtime.KeepAlive(r.a)
	testproc.Say("closed")
	testproc.Hear()
})

// Where the system refuses private zeroes, Close takes others.
func TestCloseWithoutPrivateZeroes(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	defer r.Close()
	c := lateWriter.Start(t, "TANDEM_FORCE=sparsezeroes", "--", path)
	c.Expect("closed")
	if ps := r.Participants(); len(ps) != 1 {
		t.Errorf("participants %v, want one", ps)
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
}
