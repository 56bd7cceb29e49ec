package shm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
)

// limitAddressSpace lets this process have so many bytes more than it has.
func limitAddressSpace(more uint64) {
	b, err := os.ReadFile("/proc/self/statm")
	testproc.Must(err)
	pages, err := strconv.ParseUint(strings.Fields(string(b))[0], 10, 64)
	testproc.Must(err)
	n := pages*pageSize + more
	testproc.Must(syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: n, Max: n}))
}

// noArenas has children that limit their address space need little else of it:
// the C library takes 64 MiB for every thread that asks it for memory, of which
// Go has as many as the machine's load would have it.
func noArenas(t *testing.T) { t.Setenv("MALLOC_ARENA_MAX", "1") }

// looper: path size objects more. Makes and closes regions in an address space
// that has room for so many bytes more.
var looper = testproc.Role("looper", func(args []string) {
	n := numbers(args[1:])
	limitAddressSpace(uint64(n[2]))
	for range 4 {
		r, err := Create(args[0], &Options{Size: n[0], Objects: int(n[1])})
		testproc.Must(err)
		_, _, err = lockable(r, "m")
		testproc.Must(err)
		testproc.Must(r.Close())
		testproc.Must(Remove(args[0]))
	}
	testproc.Say("well")
})

// looker: path more. Opens and closes the region to look at it, in an address
// space that has room for so many bytes more.
var looker = testproc.Role("looker", func(args []string) {
	limitAddressSpace(uint64(numbers(args[1:])[0]))
	for range 3 {
		r, err := Open(args[0], &Options{ReadOnly: true})
		testproc.Must(err)
		testproc.Must(r.Close())
	}
	testproc.Say("well")
})

func numbers(text []string) (n []int64) {
	for _, s := range text {
		i, err := strconv.ParseInt(s, 10, 64)
		testproc.Must(err)
		n = append(n, i)
	}
	return n
}

// A mapping goes when nothing reaches it, which only the collector can tell. Who
// has no address space left has it look.
func TestAddressSpaceComesBack(t *testing.T) {
	noArenas(t)
	for _, tt := range []struct {
		name                string
		size, objects, more int64
	}{
		{"room for two", 512 << 20, 64, 1224 << 20},
		// What comes before the heap is mapped first, alone.
		{"many objects", 256 << 20, 1 << 19, 400 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := looper.Start(t, testPath(t), fmt.Sprint(tt.size), fmt.Sprint(tt.objects), fmt.Sprint(tt.more))
			c.Expect("well")
		})
	}
}

// Who only looks maps the directory before the region, to see that it is whole.
func TestAddressSpaceComesBackToWhoLooks(t *testing.T) {
	noArenas(t)
	r, path := newRegion(t, &Options{Size: 256 << 20, Objects: 1 << 19})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c := looker.Start(t, path, fmt.Sprint(400<<20))
	c.Expect("well")
}

// cramped: path what. Closes the region with no room for a second mapping of it,
// and the mutex "m" locked; where what is "clinging" it uses a closed region
// still, and its collector takes its time.
var cramped = testproc.Role("cramped", func(args []string) {
	if args[1] == "clinging" {
		other, err := Anonymous(nil)
		testproc.Must(err)
		_, used, err := lockable(other, "m")
		testproc.Must(err)
		testproc.Must(other.Close())
		defer used.KeepAlive()
		collectGarbage = func() { select {} }
	}
	r, err := Open(args[0], nil)
	testproc.Must(err)
	m, core, err := lockable(r, "m")
	testproc.Must(err)
	testproc.Must(m.Lock(r.a.list.Waiter(context.Background())))
	core.OnLeave(func(in func(mem.Area) mem.Area) {
		testproc.Say("left", mem.Load64(in(core.Area).W64(0)) != 0, mem.Load64(core.Area.W64(0)) != 0)
	})
	limitAddressSpace(200 << 20)
	testproc.Say("locked")
	testproc.Hear()
	testproc.Must(r.Close())
	testproc.Say("closed")
	testproc.Hear()
	core.KeepAlive()
})

// Who closes a region and has no room for a second mapping of it tells the
// others at once, which recover what it held.
func TestCloseWithoutRoom(t *testing.T) {
	noArenas(t)
	for _, tt := range []struct {
		ephemeral bool
		what      string
		limit     time.Duration
		times     int
	}{
		{false, "alone", 20 * time.Millisecond, 5},
		{true, "alone", 20 * time.Millisecond, 5},
		{false, "clinging", 120 * time.Millisecond, 1}, // what it waits for is soonLimit
	} {
		r, path := newRegion(t, &Options{Size: 1 << 30, Ephemeral: tt.ephemeral})
		effort.Median(t, tt.limit, tt.times, func() time.Duration {
			c := cramped.Start(t, path, tt.what)
			c.Expect("locked")
			m, core, err := lockable(r, "m")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), testproc.Patience)
			defer cancel()
			told := make(chan error)
			go func() {
				w := core.List.Waiter(ctx)
				defer w.Done()
				told <- m.Lock(w)
			}()
			for core.List.Sleeping() == 0 {
				time.Sleep(time.Millisecond)
			}
			begun := time.Now()
			c.Say("close")
			if err := <-told; !errors.Is(err, ErrOwnerDied) {
				t.Fatalf("Lock after its holder has closed = %v", err)
			}
			took := time.Since(begun)
			c.Expect("left true false") // the object is looked at where it is, not in the zeroes
			c.Expect("closed")
			w := core.List.Waiter(ctx)
			if _, err := m.Recover(w); err != nil {
				t.Fatal(err)
			}
			w.Done()
			if err := errors.Join(m.MarkConsistent(), m.Unlock()); err != nil {
				t.Fatal(err)
			}
			for len(r.Participants()) > 1 { // not at once: what it held comes first
				if ctx.Err() != nil {
					t.Fatalf("still there: %v", r.Participants())
				}
				time.Sleep(time.Millisecond)
			}
			c.Kill()
			return took
		})
		checkOK(t, r)
	}
}

// The last of an ephemeral region ends it, with room or without.
func TestLastCloseWithoutRoom(t *testing.T) {
	noArenas(t)
	r, path := newRegion(t, &Options{Size: 1 << 30, Ephemeral: true})
	c := cramped.Start(t, path, "alone")
	c.Expect("locked")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c.Say("close")
	c.Expect("left true false")
	c.Expect("closed")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the region's file: %v", err)
	}
}
