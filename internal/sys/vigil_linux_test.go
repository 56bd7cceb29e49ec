package sys

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"unsafe"
)

// vigilWords is a page of words that are not Go's.
func vigilWords(t *testing.T) []uint32 {
	t.Helper()
	p, err := Reserve(uintptr(PageSize()))
	if err == nil {
		err = MapZeroes(p, uintptr(PageSize()))
	}
	if err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*uint32)(p), PageSize()/4)
}

// keep has v sleep on a thread of its own; the channel is closed when it ends.
func keep(v *Vigil) <-chan bool {
	ended := make(chan bool)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		v.Sleep()
		close(ended)
	}()
	return ended
}

func wantEnd(t *testing.T, what string, ended <-chan bool) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatalf("the sleep does not end: %s", what)
	}
}

// What ends a vigil, each by itself, with and without futex_waitv.
func TestVigilEnds(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	other, err := os.OpenFile(f.Name(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	fd, err := Descriptor(f)
	if err != nil {
		t.Fatal(err)
	}
	was := haveWaitv
	defer func() { haveWaitv = was }()
	for _, waitv := range []bool{was, false} {
		haveWaitv = waitv
		for _, tt := range []struct {
			name string
			end  func(v *Vigil, w []uint32)
		}{
			{"woken", func(v *Vigil, w []uint32) { w[0]++; FutexWake(&w[0], -1) }},
			{"another word, which nobody wakes", func(v *Vigil, w []uint32) {
				if waitv { // the kernel does not look again
					FutexWake(&w[1], -1)
				}
				w[1]++
				FutexWake(&w[1], -1)
			}},
			{"a wide word of a row", func(v *Vigil, w []uint32) { w[64+8+1]++ }},
			{"a narrow word of a row", func(v *Vigil, w []uint32) { w[64+16+2]++ }},
			{"a byte without a lock", func(v *Vigil, w []uint32) { Unlock(other, 7, 1) }},
		} {
			if err := Lock(other, 5, 3, true); err != nil {
				t.Fatal(err)
			}
			w := vigilWords(t)
			v := &Vigil{Words: []Waitv{SharedWaitv(&w[0], 0), SharedWaitv(&w[1], 0)}, Period: 1e6}
			v.Rows = []Rows{{Base: unsafe.Pointer(&w[64]), Stride: 32, Wide: make([]uint64, 3), Narrow: make([]uint32, 3),
				Beat: &w[200], File: fd, Bytes: []int64{5, 6, 7}, Some: 2}}
			ended := keep(v)
			for beat := (*uint32)(&w[200]); load(beat) < 5; time.Sleep(time.Millisecond) { // looks that find nothing
				select {
				case <-ended:
					t.Fatalf("%s, waitv %v: ended by itself", tt.name, waitv)
				default:
				}
			}
			tt.end(v, w)
			wantEnd(t, tt.name, ended)
			if found := v.Rows[0].Found; (found == 7) != (tt.name == "a byte without a lock") {
				t.Errorf("%s: found byte %d", tt.name, found)
			}
		}
	}
}

//go:noinline
func load(p *uint32) uint32 { return *p }

// Without a period a vigil ends when it is woken, and at its time; a pulse that
// goes on does not end it, and one that stands still does.
func TestVigilUntil(t *testing.T) {
	w := vigilWords(t)
	start := MonotonicNow()
	v := &Vigil{Words: []Waitv{SharedWaitv(&w[0], 0)}, Until: start + 20e6}
	wantEnd(t, "its time", keep(v))
	if took := MonotonicNow() - start; took < 20e6 {
		t.Errorf("a sleep of 20 ms took %d ns", took)
	}
	pulses := []Pulse{{Base: unsafe.Pointer(&w[8]), Stride: 16, N: 5}, {Base: unsafe.Pointer(&w[40]), Stride: 16, N: 5}}
	v = &Vigil{Words: v.Words, Pulses: pulses, PulseStep: 100, PulseRest: 10, pulse: 50}
	if v.next(0) != 50 || v.differs(49, true) || v.next(49) != 50 {
		t.Error("the pulses are not looked at in their time")
	}
	for now := int64(50); now < 1000; now += 110 { // a look, and ten later another
		if v.differs(now, true) || v.next(now) != now+10 {
			t.Fatalf("a first look at %d: ends, or the next is at %d", now, v.next(now))
		}
		w[8+4*4]++
		w[40]++
		if v.differs(now+10, true) || v.next(now+10) != now+110 {
			t.Fatalf("pulses that go on: ends, or the next look is at %d", v.next(now+10))
		}
	}
	now := v.next(0)
	v.differs(now, true)
	w[8]++
	if !v.differs(v.next(now), true) || v.Pulses[0].Still || !v.Pulses[1].Still {
		t.Errorf("the second stands still: %+v", v.Pulses)
	}
	v = &Vigil{Words: v.Words, Pulses: pulses, PulseAt: MonotonicNow(), PulseStep: 1e6, PulseRest: 1e6}
	wantEnd(t, "a pulse that stands still", keep(v))
}

// Looks are at multiples of their period, and an end before them goes first.
func TestVigilsLookTogether(t *testing.T) {
	for _, tt := range []struct{ now, until, period, want int64 }{
		{now: 1003, period: 50, want: 1050},
		{now: 1050, period: 50, want: 1100},
		{now: 1003, period: 50, until: 1049, want: 1049},
		{now: 1003, period: 50, until: 2000, want: 1050},
		{now: 1003, until: 2000, want: 2000},
		{now: 1003, want: 0},
	} {
		if got := (&Vigil{Until: tt.until, Period: tt.period}).next(tt.now); got != tt.want {
			t.Errorf("%+v: next look at %d", tt, got)
		}
	}
}

// A vigil holds no processor of the scheduler's, and no collection waits for it.
func TestVigilIsOutOfTheWay(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := vigilWords(t)
	v := &Vigil{Words: []Waitv{SharedWaitv(&w[0], 0)}, Period: 100e3}
	v.Rows = []Rows{{Base: unsafe.Pointer(&w[64]), Stride: 32, Wide: make([]uint64, 3), Narrow: make([]uint32, 3), Beat: &w[200]}}
	ended := keep(v)
	for load(&w[200]) == 0 {
		runtime.Gosched()
	}
	for range 50 {
		done := make(chan []byte)
		go func() { done <- make([]byte, 1<<20) }()
		<-done
		runtime.GC()
	}
	w[0]++
	FutexWake(&w[0], -1)
	wantEnd(t, "woken", ended)
}
