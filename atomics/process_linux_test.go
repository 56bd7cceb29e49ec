package atomics_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// attached is the region a child works in.
func attached(name string) *shm.Region {
	r, err := shm.Open(name, nil)
	testproc.Must(err)
	return r
}

const childAdds = 5000

var adder = testproc.Role("adder", func(args []string) {
	r := attached(args[0])
	sum, err := atomics.OpenValue(r, "sum", int64(0))
	testproc.Must(err)
	mean, err := atomics.OpenValue(r, "mean", float64(0))
	testproc.Must(err)
	small, err := atomics.OpenArray[uint8](r, "small", 4)
	testproc.Must(err)
	both, err := atomics.OpenValue(r, "both", pair{})
	testproc.Must(err)
	mine, _ := strconv.Atoi(args[1])
	testproc.Say("ready")
	testproc.Hear()
	for range childAdds {
		atomics.Add(sum, 3)
		atomics.Add(mean, 0.25)
		atomics.AddAt(small, mine, 1)
		both.Update(func(p pair) pair { return pair{p.A + 1, p.B - 1} })
	}
	testproc.Must(r.Close())
})

func TestAddInManyProcesses(t *testing.T) {
	const n = 4
	r := region(t)
	var cs []*testproc.Child
	for i := range n {
		c := adder.Start(t, r.Name(), fmt.Sprint(i))
		c.Expect("ready")
		cs = append(cs, c)
	}
	for _, c := range cs {
		c.Say("go")
	}
	for _, c := range cs {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	total := n * childAdds
	if got := value(t, r, "sum", int64(0)).Load(); got != int64(3*total) {
		t.Errorf("int64: %d, want %d", got, 3*total)
	}
	if got := value(t, r, "mean", float64(0)).Load(); got != float64(total)/4 {
		t.Errorf("float64: %v, want %v", got, float64(total)/4)
	}
	for i, got := range array[uint8](t, r, "small", 0).All() {
		adds := childAdds
		if got != uint8(adds) {
			t.Errorf("neighbour %d: %d, want %d", i, got, uint8(adds))
		}
	}
	if got := value(t, r, "both", pair{}).Load(); got != (pair{int32(total), int32(-total)}) {
		t.Errorf("pair: %v, want %d", got, total)
	}
}

var opener = testproc.Role("opener", func(args []string) {
	r := attached(args[0])
	testproc.Say("ready")
	testproc.Hear()
	mine, _ := strconv.ParseInt(args[1], 10, 64)
	v, err := atomics.OpenValue(r, "v", mine)
	testproc.Must(err)
	testproc.Say(v.Load())
	testproc.Hear()
})

// One of those who race to make it makes it; the others take what it put in.
func TestInitialCountsOnCreationOnly(t *testing.T) {
	r := region(t)
	var cs []*testproc.Child
	for i := range 6 {
		c := opener.Start(t, r.Name(), fmt.Sprint(100+i))
		c.Expect("ready")
		cs = append(cs, c)
	}
	for _, c := range cs {
		c.Say("go")
	}
	want := cs[0].Line()
	for _, c := range cs[1:] {
		c.Expect(want)
	}
	if got := fmt.Sprint(value(t, r, "v", int64(-1)).Load()); got != want || want < "100" || want > "105" {
		t.Errorf("the parent sees %s, the children %s", got, want)
	}
}

var holder = testproc.Role("holder", func(args []string) {
	r := attached(args[0])
	v, err := atomics.OpenValue(r, "v", int64(0))
	testproc.Must(err)
	testproc.Must(v.Lock(context.Background()))
	v.Store(7)
	testproc.Say("locked")
	testproc.Hear()
	testproc.Say(v.Unlock())
	testproc.Hear()
})

// A holder that is killed is told of; the cells are read and written all the while.
func TestHolderKilled(t *testing.T) {
	r := region(t)
	ctx := testproc.Watchdog(t)
	v := value(t, r, "v", int64(1))
	c := holder.Start(t, r.Name())
	c.Expect("locked")
	if err := v.Unlock(); !errors.Is(err, shm.ErrNotOwner) {
		t.Errorf("Unlock of what a child holds = %v", err)
	}
	if err := v.MarkConsistent(); !errors.Is(err, shm.ErrNotOwner) {
		t.Errorf("MarkConsistent of what a child holds = %v", err)
	}
	c.Freeze()
	if ok, err := v.TryLock(); ok || err != nil {
		t.Errorf("TryLock of what a stopped child holds = %v, %v", ok, err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	if err := v.Lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of what a stopped child holds = %v", err)
	}
	cancel()
	if got := atomics.Add(v, 1); got != 8 {
		t.Errorf("beside a stopped holder: %d, want 8", got)
	}
	told := make(chan error)
	go func() { told <- v.Lock(ctx) }()
	c.Kill()
	if err := <-told; !errors.Is(err, shm.ErrOwnerDied) {
		t.Fatalf("Lock after the holder died = %v", err)
	}
	if ok, err := v.TryLock(); ok || !errors.Is(err, shm.ErrOwnerDied) {
		t.Errorf("TryLock after the holder died = %v, %v", ok, err)
	}
	if got := v.Load(); got != 8 {
		t.Errorf("after the holder died: %d, want 8", got)
	}
	for _, repair := range []bool{false, true} {
		suspect, err := v.Recover(ctx)
		if !suspect || err != nil {
			t.Fatalf("Recover = %v, %v", suspect, err)
		}
		if repair {
			if err := v.MarkConsistent(); err != nil {
				t.Error(err)
			}
		}
		if err := v.Unlock(); err != nil {
			t.Error(err)
		}
	}
	if err := v.Lock(ctx); err != nil {
		t.Errorf("Lock after the repair = %v", err)
	}
	if err := v.Unlock(); err != nil {
		t.Error(err)
	}
}

// The lock excludes between processes, and wakes who waits.
func TestLockHandedOver(t *testing.T) {
	r := region(t)
	v := value(t, r, "v", int64(1))
	c := holder.Start(t, r.Name())
	c.Expect("locked")
	held := make(chan error)
	go func() { held <- v.Lock(testproc.Watchdog(t)) }()
	c.Say("unlock")
	c.Expect("<nil>")
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	if err := v.Unlock(); err != nil {
		t.Error(err)
	}
}

// Close wakes who waits for a lock.
func TestCloseWhileLocking(t *testing.T) {
	r := region(t)
	a := array[int8](t, r, "a", 1)
	if err := a.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 3)
	for range 2 {
		go func() { got <- a.Lock(testproc.Watchdog(t)) }()
	}
	go func() { _, err := a.Recover(testproc.Watchdog(t)); got <- err }()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-got; !errors.Is(err, shm.ErrClosed) {
			t.Errorf("while the region was closed: %v", err)
		}
	}
}

var churner = testproc.Role("churner", func(args []string) {
	r := attached(args[0])
	both, err := atomics.OpenValue(r, "both", pair{})
	testproc.Must(err)
	small, err := atomics.OpenArray[point](r, "small", 2)
	testproc.Must(err)
	testproc.Say("ready")
	for {
		p := both.Update(func(p pair) pair { return pair{p.A + 1, p.B - 1} })
		if p.A != -p.B {
			testproc.Say("torn", p)
		}
		x := int16(p.A)
		small.Store(1, point{x, x, x, x})
		if p := small.Load(1); p != (point{p[0], p[0], p[0], p[0]}) {
			testproc.Say("torn", p)
		}
	}
})

// However often a writer is killed, a cell is whole.
func TestKilledWritersTearNothing(t *testing.T) {
	r := region(t)
	both, small := value(t, r, "both", pair{}), array[point](t, r, "small", 2)
	for i := range 15 {
		c := churner.Start(t, r.Name())
		c.Expect("ready")
		start := both.Load().A
		for both.Load().A-start < int32(100*(i%5)) {
			if p := both.Load(); p.A != -p.B {
				t.Fatalf("torn: %v", p)
			}
		}
		c.Kill()
		if p := both.Load(); p.A != -p.B {
			t.Fatalf("torn: %v", p)
		}
		if p := small.Load(1); p != (point{p[0], p[0], p[0], p[0]}) || small.Load(0) != (point{}) {
			t.Fatalf("torn: %v, %v", small.Load(0), p)
		}
	}
}
