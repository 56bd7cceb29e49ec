package atomics_test

import (
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// A sheet is whole if all of its numbers follow from the first.
type (
	line  [8]uint64
	sheet [60]uint64
)

func lineOf(n uint64) (x line) {
	for i := range x {
		x[i] = n * uint64(i+1)
	}
	return x
}

func sheetOf(n uint64) (x sheet) {
	for i := range x {
		x[i] = n * uint64(i+1)
	}
	return x
}

// scribe stores all the time, and says what it reads that is not whole.
var scribe = testproc.Role("scribe", func(args []string) {
	r := attached(args[0])
	v, a := sheets(r)
	mine, _ := strconv.ParseUint(args[1], 10, 64)
	testproc.Say("ready")
	for n := mine; ; n += 2 {
		v.Store(lineOf(n))
		a.Store(1, sheetOf(n))
		v.Update(func(x line) line {
			if x != lineOf(x[0]) {
				testproc.Say("torn", x)
			}
			return lineOf(x[0] + 2)
		})
		if x := a.Swap(2, sheetOf(n)); x != sheetOf(x[0]) {
			testproc.Say("torn", x)
		}
	}
})

func sheets(r *shm.Region) (*atomics.Value[line], *atomics.Array[sheet]) {
	v, err := atomics.OpenValue(r, "line", line{})
	testproc.Must(err)
	a, err := atomics.OpenArray[sheet](r, "sheets", 3)
	testproc.Must(err)
	return v, a
}

// Between processes no value is ever read torn, beside writers that never rest, and are
// stopped and killed in the middle of it; and nobody waits for those.
func TestReadsAreNeverTorn(t *testing.T) {
	reads := effort.Or(30_000_000, 400_000)
	r := region(t)
	v, a := sheets(r)
	start := func(mine string) *testproc.Child {
		c := scribe.Start(t, r.Name(), mine)
		c.Expect("ready")
		return c
	}
	read := func(n int) {
		for i := range n {
			if x := v.Load(); x != lineOf(x[0]) {
				t.Fatalf("torn: %v", x)
			}
			if i%8 == 0 {
				if x := a.Load(i / 8 % 3); x != sheetOf(x[0]) {
					t.Fatalf("torn: %v", x)
				}
			}
		}
	}
	cs := []*testproc.Child{start("1"), start("2")}
	const rounds = 20
	for i := range rounds {
		read(reads / rounds / 2)
		c := cs[i%2]
		c.Freeze()
		read(reads / rounds / 2)
		for k := range uint64(1000) { // and store, as if nobody else were there
			v.Store(lineOf(k))
			if x := a.Swap(1, sheetOf(k)); x != sheetOf(x[0]) {
				t.Fatalf("torn: %v", x)
			}
		}
		if i%4 < 2 {
			c.Kill()
			cs[i%2] = start(strconv.Itoa(i%2 + 1))
		} else {
			c.Signal(syscall.SIGCONT)
		}
	}
	for _, c := range cs {
		c.Kill()
		for line := range c.Lines() {
			t.Error(line)
		}
	}
	read(1000)
}

// counter stores 1, 2, 3 and so on, and does nothing else.
var counter = testproc.Role("counter", func(args []string) {
	v, err := atomics.OpenValue(attached(args[0]), "line", line{})
	testproc.Must(err)
	testproc.Say("ready")
	for n := v.Load()[0] + 1; ; n++ {
		v.Store(lineOf(n))
	}
})

// Beside a process that stores without a pause no read is torn, none sees an older value
// than the one before, and none waits; and with that process stopped in the middle of a
// Store, or killed there, reads go on as fast as where there is no other.
func TestReadsBehindStoppedWriters(t *testing.T) {
	reads := effort.Or(100_000_000, 300_000)
	r := region(t)
	v, err := atomics.OpenValue(r, "line", line{})
	testproc.Must(err)
	last := uint64(0)
	// read reads n times, a thousand at a time, and is told how long a read takes: the
	// median of the thousands, and the longest of all.
	read := func(n int) (each, most time.Duration) {
		var took []time.Duration
		done := make(chan bool)
		go func() {
			defer close(done)
			for ; n > 0; n -= 1000 {
				start := time.Now()
				for range 1000 {
					x := v.Load()
					if x != lineOf(x[0]) || x[0] < last {
						t.Errorf("read %v, after %d", x, last)
						return
					}
					last = x[0]
				}
				took = append(took, time.Since(start)/1000)
			}
		}()
		select {
		case <-done:
		case <-time.After(10 * testproc.Patience):
			t.Fatal("a read waits")
		}
		if t.Failed() {
			t.FailNow()
		}
		slices.Sort(took)
		return took[len(took)/2], took[len(took)-1]
	}
	start := func() *testproc.Child {
		c := counter.Start(t, r.Name())
		c.Expect("ready")
		return c
	}

	stores := func() { // it has stored once more
		t.Helper()
		was := v.Load()[0]
		for end := time.Now().Add(testproc.Patience); v.Load()[0] == was; time.Sleep(20 * time.Microsecond) {
			if time.Now().After(end) {
				t.Fatal("nothing is stored")
			}
		}
	}

	alone, _ := read(reads / 100)
	c := start()
	stores()
	was := v.Load()[0]
	each, most := read(reads)
	t.Logf("%d reads, %d stores meanwhile: a read takes %v, alone %v; of a thousand at most %v", reads, last-was, each, alone, most)
	for end := time.Now().Add(testproc.Patience); last == was; read(reads) { // it may have had no processor meanwhile
		if time.Now().After(end) {
			t.Fatal("nothing was stored")
		}
	}

	// halfway stops the process until it is in the middle of a Store.
	halfway := func(c *testproc.Child) {
		for range 1000 {
			if c.Freeze(); atomics.Prepared(v) == 1 {
				return
			}
			c.Signal(syscall.SIGCONT)
			stores()
		}
		t.Fatal("it is never in the middle of a Store")
	}
	stays := func(what string, n int) {
		t.Helper()
		was = v.Load()[0]
		each, most := read(n)
		t.Logf("%d reads, the other %s: %v, alone %v; of a thousand at most %v", n, what, each, alone, most)
		if last != was {
			t.Errorf("%s: it has stored", what)
		}
		// What lasts a millisecond may come upon something else that the machine does, and
		// that may last for many; who waits for a writer waits each time.
		full := alone + alone/4 + time.Nanosecond
		for tries := 0; effort.Bars() && each > full && tries < 50; tries++ {
			time.Sleep(10 * time.Millisecond)
			again, _ := read(n)
			each = min(each, again)
		}
		if effort.Bars() && each > full {
			t.Errorf("a read takes %v while the other is %s, alone %v", each, what, alone)
		}
	}
	const rounds = 5
	for range rounds {
		halfway(c)
		stays("stopped", reads/rounds/2)
		c.Kill()
		stays("killed", reads/rounds/2)
		c = start()
	}
	c.Kill()
}

// A book takes longer to read, from another processor, than to write.
type book [8192]uint64

var author = testproc.Role("author", func(args []string) {
	v, err := atomics.OpenValue(attached(args[0]), "book", book{})
	testproc.Must(err)
	testproc.Say("ready")
	x := book{}
	for n := uint64(1); ; n++ {
		x[0], x[len(x)/2], x[len(x)-1] = n, n, n
		v.Store(x)
	}
})

// A reader who is slower than a writer that never rests gets its turn all the same.
func TestLongReadsEnd(t *testing.T) {
	r, err := shm.Create(region(t).Name()+"-long", &shm.Options{Size: 4 << 20, Participants: 4})
	testproc.Must(err)
	t.Cleanup(func() { r.Close(); shm.Remove(r.Name()) })
	v, err := atomics.OpenValue(r, "book", book{})
	testproc.Must(err)
	c := author.Start(t, r.Name())
	c.Expect("ready")
	for v.Load()[0] == 0 {
	}
	var most time.Duration
	began := time.Now()
	reads := effort.Or(20000, 200)
	for range reads {
		start := time.Now()
		if x := v.Load(); x[0] != x[len(x)/2] || x[0] != x[len(x)-1] {
			t.Fatalf("torn: %d, %d, %d", x[0], x[len(x)/2], x[len(x)-1])
		}
		most = max(most, time.Since(start))
	}
	t.Logf("%d reads: %v each, %v at most; %d stores", reads, time.Since(began)/time.Duration(reads), most, v.Load()[0])
	c.Kill()
}

// Copies of the dead come back: of writers that are killed without end in a region of
// few participants, each finds one.
func TestKilledWritersLoseNoCopies(t *testing.T) {
	r, err := shm.Create(region(t).Name()+"-few", &shm.Options{Size: 4 << 20, Participants: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); shm.Remove(r.Name()) })
	v, a := sheets(r)
	for i := range effort.Or(200, 20) {
		c := scribe.Start(t, r.Name(), "1")
		c.Expect("ready")
		for was := v.Load(); v.Load() == was; {
		}
		c.Kill()
		n := uint64(i)
		v.Store(lineOf(n))
		for k := range a.Len() {
			a.Store(k, sheetOf(n))
			if got := a.Load(k); got != sheetOf(n) {
				t.Fatalf("round %d: cell %d is %v", i, k, got)
			}
		}
		if got := v.Load(); got != lineOf(n) {
			t.Fatalf("round %d: %v", i, got)
		}
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
}
