package damage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// openAll opens the regions of a directory, and what is in them.
func openAll(dir string) (rs []*shm.Region, block []func()) {
	paths, err := filepath.Glob(filepath.Join(dir, "region-*"))
	testproc.Must(err)
	for _, path := range paths {
		r := must(shm.Open(path, nil))
		rs = append(rs, r)
		m, v := must(sync.OpenMutex(r, "free")), must(atomics.OpenValue(r, "int64", int64(0)))
		q, b := must(ring.OpenQueue[pair](r, "pairs", nil)), must(ring.OpenQueue[[]byte](r, "bytes", nil))
		full := must(ring.OpenQueue[string](r, "full", nil))
		empty := must(ring.OpenQueue[pair](r, "empty", nil))
		ticks := must(ring.OpenSPSC[pair](r, "ticks", nil))
		quotes := must(ring.OpenBroadcast[pair](r, "quotes", nil))
		sees := must(quotes.Subscribe())
		var talks []*ring.Conn[string]
		for _, end := range []ring.End{ring.Left, ring.Right} {
			c, err := ring.OpenPipe[string](r, "talk", end, &ring.PipeOptions{Buffer: 1 << 13})
			if !errors.Is(err, syscall.EPIPE) {
				talks = append(talks, must(c, err))
			}
		}
		block = append(block,
			func() { untilEnd(func() error { return ticks.Put(bg, pair{1, 2}) }) },
			func() { untilEnd(func() error { _, err := ticks.Get(bg); return err }) },
			func() { untilEnd(func() error { return quotes.Publish(bg, pair{1, 2}) }) },
			func() { untilEnd(func() error { _, _, err := sees.Next(bg); return err }) },
			func() { m.Lock(bg); m.Lock(bg) },
			func() { v.Recover(bg); v.Lock(bg) },
			func() { untilEnd(func() error { _, err := q.Lease(bg); return err }) },
			func() { untilEnd(func() error { _, err := b.Get(bg); return err }) },
			func() { untilEnd(func() error { return full.Put(bg, "more") }) },
			func() { untilEnd(func() error { _, err := empty.Get(bg); return err }) },
			func() { b.Join(bg) },
			func() { untilEnd(func() error { _, err := shm.WaitAny(bg, empty, ticks, sees); return err }) },
		)
		for _, c := range talks {
			block = append(block,
				func() { untilEnd(func() error { return c.Send(bg, "more") }) },
				func() { untilEnd(func() error { _, err := c.Recv(bg); return err }) })
		}
	}
	return rs, block
}

// untilEnd does something until it fails, or for long.
func untilEnd(f func() error) {
	for range 1000 {
		if f() != nil {
			return
		}
	}
}

// victim uses regions, and waits for its death.
var victim = testproc.Role("victim", func(args []string) {
	rs, _ := openAll(args[0])
	for _, r := range rs {
		testproc.Must(must(atomics.OpenValue(r, "uint16", uint16(0))).Lock(bg))
		ctx, cancel := context.WithTimeout(bg, time.Millisecond)
		must(sync.OpenMutex(r, "waited")).Recover(ctx)
		cancel()
		must(ring.OpenQueue[pair](r, "pairs", nil)).TryLease()
		must(ring.OpenQueue[[]byte](r, "bytes", nil)).TryGet()
		must(ring.OpenSPSC[pair](r, "tocks", nil)).TryGet()
		must(atomics.OpenValue(r, "wide", pair{})).Store(pair{1, 1})
		must(ring.OpenBroadcast[string](r, "news", nil)).TryPublish("news")
	}
	testproc.Say("used")
	testproc.Hear()
})

// neighbour is blocked in everything, in all regions, until it is told to
// close them.
var neighbour = testproc.Role("neighbour", func(args []string) {
	rs, block := openAll(args[0])
	var wg gosync.WaitGroup
	for _, f := range block {
		wg.Go(f)
	}
	testproc.Say("blocked")
	testproc.Hear()
	for _, r := range rs {
		r.Close()
	}
	wg.Wait()
	testproc.Say("closed")
})

// A process with damaged regions open, in which another one dies, neither
// falls nor spins, and gets out of all of them.
func TestNeighbour(t *testing.T) {
	n := effort.Or(24, 8)
	dir := tempDir(t)
	image := build(t)
	all := spans(image)
	for i := range n {
		if err := copyImage(image, filepath.Join(dir, fmt.Sprint("region-", i))); err != nil {
			t.Fatal(err)
		}
	}
	c := neighbour.Start(t, dir)
	c.Expect("blocked")
	v := victim.Start(t, dir)
	v.Expect("used")

	rnd := rand.New(rand.NewPCG(*firstSeed, 2))
	spoil := func() {
		for i := range n {
			f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint("region-", i)), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for _, e := range damage(rnd, all) {
				if err := e.apply(f); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	spoil()
	v.Kill()
	spoil()
	// The kernel tells the neighbour of the death. What it has to do about it is
	// over some time, and then it sleeps.
	const window, quiet = 200 * time.Millisecond, 5
	begun := time.Now()
	for n := 0; n < quiet; n++ {
		from := processorTime(t, c.PID())
		time.Sleep(window)
		if used := processorTime(t, c.PID()) - from; used > window/10 {
			n = 0
		}
		if time.Since(begun) > testproc.Patience {
			t.Errorf("seed %d: the neighbour does not come to rest", *firstSeed)
			break
		}
	}
	t.Logf("the neighbour rests after %v", time.Since(begun))
	c.Say("close")
	c.Expect("closed")
	if err := c.Wait(); err != nil {
		t.Errorf("seed %d: the neighbour: %v", *firstSeed, err)
	}
}

// processorTime is what a process has used of the processors.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var ticks time.Duration
	for _, f := range fields[11:13] { // of 100 a second
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * time.Second / 100
}
