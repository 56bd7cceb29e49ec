package wait

import (
	"context"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// sharing skips where no sleep shares a thread. All that may do, in the test, and nobody
// looks again by himself.
func sharing(t *testing.T) {
	if !sys.HaveWaitv() {
		t.Skip("without futex_waitv each sleeps on a thread of its own")
	}
	withoutRelook(t)
	polls.own.Add(pollOwn)
	t.Cleanup(func() { polls.own.Add(-pollOwn) })
}

// polledNow is how many stand in the calls of pollers.
func polledNow() (n int) {
	polls.mu.Lock()
	defer polls.mu.Unlock()
	for _, p := range polls.all {
		n += len(p.calls)
	}
	return n
}

// share is one sleep that shares a thread.
func share(l *List, ctx context.Context, w *uint32, v uint32, over *atomic.Bool) <-chan error {
	slept := make(chan error, 1)
	go func() {
		wt := l.Waiter(ctx).For(over).Share()
		defer wt.Done()
		slept <- wt.Sleep(w, v)
	}()
	return slept
}

// isUp waits for the end of a sleep.
func isUp(t *testing.T, slept <-chan error) error {
	t.Helper()
	select {
	case err := <-slept:
		return err
	case <-time.After(patience):
		t.Fatal("it sleeps on")
	}
	return nil
}

// Many sleep on few threads, and a wake-up reaches the one it is for.
func TestManyShareAThread(t *testing.T) {
	sharing(t)
	const many = 300
	l := NewList()
	page, _ := sharedPage(t)
	threads := len(testproc.Threads(os.Getpid()))
	var all []<-chan error
	for i := range many {
		all = append(all, share(l, background, &page[i], 0, nil))
	}
	until(t, "all asleep", func() bool { return polledNow() == many && l.Sleeping() == many })
	if n := len(testproc.Threads(os.Getpid())); n > threads+20 {
		t.Errorf("%d threads, %d before", n, threads)
	}
	polls.mu.Lock()
	for _, p := range polls.all {
		for _, w := range p.calls {
			if w.poll.until%int64(pollRound) != 0 {
				t.Error("they do not look again together")
			}
		}
	}
	polls.mu.Unlock()
	for _, i := range rand.Perm(many) {
		atomic.StoreUint32(&page[i], 1)
		Wake(&page[i], 1)
		if err := isUp(t, all[i]); err != nil {
			t.Fatalf("Sleep = %v", err)
		}
		for k := range all {
			if len(all[k]) > 0 {
				t.Fatalf("%d is up, and not only %d", k, i)
			}
		}
	}
	until(t, "nobody polls", func() bool {
		polls.mu.Lock()
		defer polls.mu.Unlock()
		for _, p := range polls.all {
			if p.runs {
				return false
			}
		}
		return true
	})
	again := share(l, background, &page[0], 1, nil)
	until(t, "asleep", func() bool { return polledNow() == 1 })
	atomic.StoreUint32(&page[0], 2)
	Wake(&page[0], 1)
	isUp(t, again)
}

// What ends a sleep ends one that shares a thread.
func TestSharedSleepEnds(t *testing.T) {
	sharing(t)
	for _, c := range []struct {
		name string
		end  func(l *List, cancel func(), over *atomic.Bool)
		want error
	}{
		{"context", func(_ *List, cancel func(), _ *atomic.Bool) { cancel() }, nil},
		{"nudge", func(l *List, _ func(), _ *atomic.Bool) { l.Nudge() }, nil},
		{"close", func(l *List, _ func(), _ *atomic.Bool) { l.Close() }, ErrClosed},
		{"end", func(l *List, _ func(), over *atomic.Bool) { over.Store(true); l.End(over) }, nil},
	} {
		l, w := NewList(), word(t)
		ctx, cancel := context.WithCancel(background)
		var over atomic.Bool
		slept := share(l, ctx, w, 0, &over)
		until(t, c.name+": asleep", func() bool { return polledNow() == 1 })
		c.end(l, cancel, &over)
		if err := isUp(t, slept); err != c.want {
			t.Errorf("%s: Sleep = %v, want %v", c.name, err, c.want)
		}
		cancel()
	}
}

// A deadline and a limit end it, too, the earliest first.
func TestSharedSleepEndsInTime(t *testing.T) {
	sharing(t)
	l, page := NewList(), []*uint32{word(t), word(t), word(t)}
	last := l.Waiter(background).Share() // no late alarm of another's end is for this one
	far := share(l, background, page[0], 0, nil)
	err := context.DeadlineExceeded // instead of a sleep, if the test is held up for so long
	for d := 30 * time.Millisecond; err == context.DeadlineExceeded && d < patience/8; d *= 2 {
		ctx, cancel := context.WithTimeout(background, d)
		err = isUp(t, share(l, ctx, page[1], 0, nil))
		cancel()
	}
	if err != nil {
		t.Errorf("Sleep = %v", err)
	}
	limited := make(chan int64, 1)
	var began int64
	go func() {
		wt := last
		defer wt.Done()
		began = wt.Now()
		wt.SleepUntil(page[2], 0, began+int64(20*time.Millisecond))
		limited <- wt.Now()
	}()
	if d := time.Duration(<-limited - began); d < 20*time.Millisecond {
		t.Errorf("it was up after %v", d)
	}
	if len(far) != 0 {
		t.Error("who has no deadline is up")
	}
	atomic.StoreUint32(page[0], 1)
	Wake(page[0], 1)
	isUp(t, far)
}

// A limit ends it that is further away than the next look, and nearer than the next one of those
// that share a thread.
func TestSharedSleepKeepsItsLimit(t *testing.T) {
	sharing(t)
	relook = time.Minute
	l, w := NewList(), word(t)
	wt := l.Waiter(background).Share()
	defer wt.Done()
	slept := make(chan int64, 1)
	go func() {
		wt.SleepUntil(w, 0, wt.Now()+int64(90*time.Second))
		slept <- 0
	}()
	until(t, "asleep", func() bool { return polledNow() == 1 })
	polls.mu.Lock()
	for _, p := range polls.all {
		for _, w := range p.calls {
			if d := time.Duration(w.poll.until - sys.MonotonicNow()); d > 90*time.Second || d < time.Minute {
				t.Errorf("it sleeps for %v", d)
			}
		}
	}
	polls.mu.Unlock()
	l.Close()
	<-slept
}

// Who has slept for long on a thread of its own shares one from then on.
func TestLongSleepsShare(t *testing.T) {
	if !sys.HaveWaitv() {
		t.Skip("without futex_waitv each sleeps on a thread of its own")
	}
	defer func(was time.Duration) { relook = was }(relook)
	relook = 20 * time.Millisecond
	l, w := NewList(), word(t)
	l.ShowOn(&shownBoard{words: map[int]*uint32{}, n: map[int]int{}})
	wt := l.Waiter(background).Share()
	over := make(chan bool)
	go func() {
		defer close(over)
		defer wt.Done()
		for atomic.LoadUint32(w) == 0 {
			if err := wt.Sleep(w, 0); err != nil {
				t.Error(err)
			}
		}
	}()
	until(t, "it shares a thread", func() bool { return polledNow() == 1 })
	until(t, "none sleeps on a thread of its own", func() bool { return polls.own.Load() == 0 })
	atomic.StoreUint32(w, 1)
	Wake(w, 1)
	<-over
}

// When Close returns the memory may go, also of those that share a thread with others
// which sleep on.
func TestCloseTakesWordsFromPollers(t *testing.T) {
	sharing(t)
	stay, stays := NewList(), word(t)
	other := share(stay, background, stays, 0, nil)
	for range 50 {
		l := NewList()
		p, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
		if err != nil {
			t.Fatal(err)
		}
		slept := share(l, background, (*uint32)(p), 0, nil)
		until(t, "asleep", func() bool { return polledNow() == 2 })
		l.Close()
		if err := unix.MunmapPtr(p, 4096); err != nil {
			t.Fatal(err)
		}
		if err := isUp(t, slept); err != ErrClosed {
			t.Fatalf("Sleep = %v", err)
		}
		stay.Nudge() // the poller looks at what it has
		if err := isUp(t, other); err != nil {
			t.Fatalf("the other's Sleep = %v", err)
		}
		other = share(stay, background, stays, 0, nil)
		until(t, "asleep", func() bool { return polledNow() == 1 })
	}
	polls.mu.Lock()
	for _, p := range polls.all {
		for _, w := range p.calls {
			if w.poll.alone {
				t.Error("a poller had a word that was gone")
			}
		}
	}
	polls.mu.Unlock()
	stay.Close()
	isUp(t, other)
}

// A word that cannot be read is its own sleeper's trouble.
func TestFaultAtAPoller(t *testing.T) {
	sharing(t)
	l, w := NewList(), word(t)
	good := make(chan error, 1)
	go func() {
		wt := l.Waiter(background).Share()
		defer wt.Done()
		for atomic.LoadUint32(w) == 0 {
			if err := wt.Sleep(w, 0); err != nil {
				good <- err
				return
			}
		}
		good <- nil
	}()
	until(t, "asleep", func() bool { return polledNow() == 1 })
	late := polls.own.Load()
	p, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	bad := make(chan error, 1)
	go func() {
		wt := l.Waiter(background).Share()
		defer wt.Done()
		wt.Sleep((*uint32)(p), 0) // told to be alone
		bad <- wt.Sleep((*uint32)(p), 0)
	}()
	until(t, "asleep", func() bool { return polledNow() == 2 })
	protect(t, unsafe.Slice((*byte)(p), 4096), unix.PROT_NONE) // nothing else comes to lie there
	polls.all[0].poke()
	if err := isUp(t, bad); err == nil || !strings.Contains(err.Error(), "bad address") {
		t.Errorf("Sleep on what is gone = %v", err)
	}
	if n := polledNow(); n != 1 || polls.own.Load() != late {
		t.Errorf("%d share a thread, and %d could and do not", n, polls.own.Load()-late)
	}
	atomic.StoreUint32(w, 1)
	Wake(w, 1)
	if err := isUp(t, good); err != nil {
		t.Errorf("the other's Sleep = %v", err)
	}
}

// Whose poller cannot sleep sleeps on threads of their own.
func TestPollerGivesUp(t *testing.T) {
	sharing(t)
	l, w := NewList(), word(t)
	var slept []<-chan error
	alone := make(chan bool, 3)
	for range cap(alone) {
		up := make(chan error, 1)
		slept = append(slept, up)
		go func() {
			wt := l.Waiter(background).Share()
			defer wt.Done()
			wt.Sleep(w, 0)
			alone <- wt.poll.alone
			up <- wt.Sleep(w, 0)
		}()
	}
	until(t, "asleep", func() bool { return polledNow() == cap(alone) })
	for _, p := range polls.all {
		p.giveUp()
	}
	for range cap(alone) {
		if !<-alone {
			t.Error("it is to share a thread again")
		}
	}
	until(t, "asleep", func() bool { return l.Sleeping() == cap(alone) })
	if n := polledNow(); n != 0 {
		t.Errorf("%d share a thread", n)
	}
	atomic.StoreUint32(w, 1)
	Wake(w, -1)
	for _, up := range slept {
		if err := isUp(t, up); err != nil {
			t.Errorf("Sleep = %v", err)
		}
	}
}

// Words change and are woken, sleepers are nudged, and cancelled, at random and at once: none
// is forgotten.
func TestPollersStorm(t *testing.T) {
	sharing(t)
	l := NewList()
	page, _ := sharedPage(t)
	n := 150
	rounds := effort.Or(15_000, 3000)
	var all sync.WaitGroup
	var woken atomic.Int64
	for i := range n {
		all.Go(func() {
			for v := uint32(0); ; {
				now := atomic.LoadUint32(&page[i])
				if now == ^uint32(0) {
					return
				}
				if now != v {
					v = now
					atomic.StoreUint32(&page[512+i], v)
					woken.Add(1)
				}
				wt := l.Waiter(background).Share()
				err := wt.Sleep(&page[i], v)
				wt.Done()
				if err != nil {
					t.Errorf("%d: Sleep = %v", i, err)
					return
				}
			}
		})
	}
	for r := range rounds {
		i := rand.IntN(n)
		if r%100 == 0 {
			l.Nudge()
		}
		atomic.AddUint32(&page[i], 1)
		Wake(&page[i], 1)
		if r%4 == 0 { // the answer comes
			want, begun := atomic.LoadUint32(&page[i]), time.Now()
			for atomic.LoadUint32(&page[512+i]) != want {
				if time.Since(begun) > patience {
					t.Fatalf("round %d: %d does not wake", r, i)
				}
				time.Sleep(20 * time.Microsecond)
			}
		}
	}
	for i := range n {
		atomic.StoreUint32(&page[i], ^uint32(0))
		Wake(&page[i], 1)
	}
	all.Wait()
	t.Logf("%d were woken", woken.Load())
}
