package atomics_test

import (
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// Wide cells come in three forms: a Value, an Array, and a Value so long that a process
// has one spare of it and not three. Values are told by a number.
type wideForm struct {
	name          string
	cells, spares int
	open          func(r *shm.Region, name string, initial int64) (wideCell, error)
}

// A wideCell is the Value, or one cell of the Array.
type wideCell struct {
	load    func() int64 // torn, where it is no number's
	store   func(n int64)
	swap    func(n int64) int64
	cas     func(old, new int64) bool
	add     func(n int64) // by Update
	free    func() int    // copies
	another func() int64  // what another cell of the Array holds
}

type widths interface{ [3]int64 | [40]int64 }

// torn is no value's number.
const torn = -1 << 60

func wideOf[T widths](n int64) (x T) {
	for i := range len(x) {
		x[i] = n * int64(i*i+1)
	}
	return x
}

func numberOf[T widths](x T) int64 {
	if x != wideOf[T](x[0]) {
		return torn
	}
	return x[0]
}

var wideForms = []wideForm{
	{"value", 1, 3, openWide[[3]int64]},
	{"long", 1, 1, openWide[[40]int64]},
	{"array", 3, 3, openWides},
}

func openWide[T widths](r *shm.Region, name string, initial int64) (wideCell, error) {
	v, err := atomics.OpenValue(r, name, wideOf[T](initial))
	return wideCell{
		load:    func() int64 { return numberOf(v.Load()) },
		store:   func(n int64) { v.Store(wideOf[T](n)) },
		swap:    func(n int64) int64 { return numberOf(v.Swap(wideOf[T](n))) },
		cas:     func(old, new int64) bool { return v.CompareAndSwap(wideOf[T](old), wideOf[T](new)) },
		add:     func(n int64) { v.Update(func(x T) T { return wideOf[T](x[0] + n) }) },
		free:    func() int { return atomics.Free(v) },
		another: func() int64 { return initial },
	}, err
}

// openWides is of a cell between two others. Whoever finds one empty stores the first value.
func openWides(r *shm.Region, name string, initial int64) (wideCell, error) {
	a, err := atomics.OpenArray[[3]int64](r, name, 3)
	if err != nil {
		return wideCell{}, err
	}
	for i := range 3 {
		a.CompareAndSwap(i, [3]int64{}, wideOf[[3]int64](initial))
	}
	return wideCell{
		load:  func() int64 { return numberOf(a.Load(1)) },
		store: func(n int64) { a.Store(1, wideOf[[3]int64](n)) },
		swap:  func(n int64) int64 { return numberOf(a.Swap(1, wideOf[[3]int64](n))) },
		cas:   func(old, new int64) bool { return a.CompareAndSwap(1, wideOf[[3]int64](old), wideOf[[3]int64](new)) },
		add:   func(n int64) { a.Update(1, func(x [3]int64) [3]int64 { return wideOf[[3]int64](x[0] + n) }) },
		free:  func() int { return atomics.FreeOf(a) },
		another: func() int64 {
			if x := a.Load(0); x == a.Load(2) {
				return numberOf(x)
			}
			return torn
		},
	}, nil
}

// The value is 100, and the victim makes it 105: a process that has stored some times
// already, so that it has spares, or has not.
var wideVictims = []struct {
	name   string
	stores int
	does   func(c wideCell)
}{
	{"Store", 4, func(c wideCell) { c.store(105) }},
	{"Store, the first", 0, func(c wideCell) { c.store(105) }},
	{"Swap", 4, func(c wideCell) { c.swap(105) }},
	{"CompareAndSwap", 1, func(c wideCell) { c.cas(100, 105) }},
	{"Update", 4, func(c wideCell) { c.add(5) }},
}

var wideOps = func() map[string]stepkill.Op {
	ops := map[string]stepkill.Op{}
	for _, f := range wideForms {
		for _, v := range wideVictims {
			ops[f.name+v.name] = stepkill.Rehearsed("wide "+f.name+": "+v.name, "", func(r *shm.Region, name string) (func() error, error) {
				c, err := f.open(r, name+"wide", 100)
				for range v.stores {
					c.store(100)
				}
				return func() error { v.does(c); return nil }, err
			})
		}
	}
	return ops
}()

// Wherever it dies, the value is what it was or what was stored, and no copy is lost:
// beside a live process, whose value it was replacing. An ordinary run has each operation
// in one of the forms.
func TestWideKilledAnywhere(t *testing.T) {
	for _, v := range stepkill.Some(t, wideVictims...) {
		forms := wideForms
		if i, all := stepkill.Pick(t, v.name, len(forms)); !all {
			forms = forms[i : i+1]
		}
		for _, f := range forms {
			t.Run(v.name+", "+f.name, func(t *testing.T) {
				stepkill.Every(t, wideOps[f.name+v.name], func(t *testing.T, s *stepkill.Stage) { f.play(t, s) })
			})
		}
	}
}

// play is one death.
func (f wideForm) play(t *testing.T, s *stepkill.Stage) {
	c, err := f.open(s.Region, "wide", 100)
	if err != nil {
		t.Fatal(err)
	}
	c.store(100)
	death := s.Die(nil)
	got := c.load()
	if got != 100 && got != 105 || death.Returned && got != 105 {
		t.Errorf("after a death %v: %d", death, got)
	}
	for n := range int64(5) {
		c.store(n)
		if got := c.swap(n + 1); got != n {
			t.Errorf("after a death %v: Swap = %d, want %d", death, got, n)
		}
	}
	if got := c.another(); got != 100 {
		t.Errorf("after a death %v: another cell holds %d", death, got)
	}
	// Each cell has one, and this process all its spares: the rest is free, when the dead
	// one is recovered.
	want := f.spares*stepkill.Options.Participants - f.spares
	free := c.free()
	for end := time.Now().Add(testproc.Patience); free != want && time.Now().Before(end); free = c.free() {
		time.Sleep(time.Millisecond)
	}
	if free != want {
		t.Errorf("after a death %v %d copies are free, want %d", death, free, want)
	}
}
