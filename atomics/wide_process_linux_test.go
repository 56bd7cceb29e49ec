package atomics_test

import (
	"strconv"
	"syscall"
	"testing"

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
	reads := effort.Or(100_000_000, 400_000)
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
