package proc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/atomics"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
)

// lodger says how many are in the region that it got, and stays until its
// stdin ends.
var lodger = proc.Register("lodger", func(ctx context.Context, r *shm.Region) error {
	if r == nil {
		r = proc.Regions()[0]
	}
	fmt.Println("in with", len(r.Participants()))
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
})

// A gate holds a child up before it is in any region.
type gate string

func newGate(dir string) gate {
	path := filepath.Join(dir, "gate")
	check(unix.Mkfifo(path, 0o600))
	return gate(path)
}

func (g gate) env() []string { return []string{gateVar + "=" + string(g)} }

// open lets the child go on; it blocks until that is there.
func (g gate) open(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(string(g), os.O_WRONLY, 0)
	check(err)
	noError(t, f.Close())
}

func house(t *testing.T) (path string, r *shm.Region) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "house")
	r, err := shm.Create(path, &shm.Options{Size: 1 << 20, Ephemeral: true})
	check(err)
	return path, r
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	l, err := os.ReadDir("/proc/self/fd")
	check(err)
	return len(l)
}

// Its parent has closed an ephemeral region before the child is in it.
func TestParentClosesFirst(t *testing.T) {
	for _, how := range []string{"listed", "argument", "both"} {
		t.Run(how, func(t *testing.T) {
			path, r := house(t)
			g := newGate(filepath.Dir(path))
			var arg *shm.Region
			o := proc.Options{Env: g.env()}
			if how != "argument" {
				o.Regions = []*shm.Region{r}
			}
			if how != "listed" {
				arg = r
			}
			c := startTalk(t, lodger, arg, o)
			noError(t, r.Close())
			g.open(t)
			c.expect(t, "in with 1")
			if !there(path) {
				t.Error("the region of a living process has lost its name")
			}
			c.in.Close()
			wantCode(t, c.Process, 0)
			if there(path) {
				t.Error("the region has not ended with its last")
			}
		})
	}
}

// landlord makes an ephemeral region and starts a lodger in it, which waits at
// a gate; then it does nothing more.
var landlord = proc.Register("landlord", func(ctx context.Context, dir string) error {
	r, err := shm.Create(filepath.Join(dir, "house"), &shm.Options{Size: 1 << 20, Ephemeral: true})
	if err != nil {
		return err
	}
	g := gate(filepath.Join(dir, "gate"))
	if _, err = lodger.Start(ctx, r, &proc.Options{Stdin: os.Stdin, KeepOnExit: true, Env: g.env()}); err != nil {
		return err
	}
	fmt.Println("started")
	select {}
})

// Its parent has died before the child is in the region.
func TestParentDiesFirst(t *testing.T) {
	dir := t.TempDir()
	g := newGate(dir)
	c := startTalk(t, landlord, dir, proc.Options{})
	c.expect(t, "started")
	noError(t, c.Kill())
	wantCode(t, c.Process, -9)
	g.open(t)
	c.expect(t, "in with 1")
	c.in.Close()
	if rest, err := io.ReadAll(c.out); err != nil || len(rest) > 0 {
		t.Errorf("after that the lodger said %q, %v", rest, err)
	}
	if there(filepath.Join(dir, "house")) {
		t.Error("the region has not ended with its last")
	}
}

// The child dies before it is in the region, or there never is one: nothing
// is left of it.
func TestChildNeverArrives(t *testing.T) {
	t.Run("killed", func(t *testing.T) {
		wantCode(t, start(t, ends, how{}, nil), 0) // what the first of all opens stays open
		before := openDescriptors(t)
		path, r := house(t)
		g := newGate(filepath.Dir(path))
		c := start(t, lodger, r, &proc.Options{Env: g.env()})
		noError(t, r.Close())
		if r, err := shm.Open(path, nil); err != nil {
			t.Errorf("Open while a child is on its way = %v", err)
		} else {
			noError(t, r.Close())
		}
		noError(t, c.Kill())
		wantCode(t, c, -9)
		if there(path) {
			t.Error("the region has not ended with the child that was to be its last")
		}
		if after := openDescriptors(t); after > before {
			t.Errorf("%d descriptors are open, %d before the start", after, before)
		}
	})
	t.Run("killed with its parent in it", func(t *testing.T) {
		path, r := house(t)
		g := newGate(filepath.Dir(path))
		c := start(t, lodger, r, &proc.Options{Env: g.env()})
		noError(t, c.Kill())
		wantCode(t, c, -9)
		if n := len(r.Participants()); n != 1 || !there(path) {
			t.Errorf("%d participants, name there: %v", n, there(path))
		}
		noError(t, r.Close())
		if there(path) {
			t.Error("the region has not ended with its last")
		}
	})
	t.Run("not started", func(t *testing.T) {
		before := openDescriptors(t)
		path, r := house(t)
		p, err := lodger.Start(context.Background(), r, &proc.Options{Dir: filepath.Join(path, "nowhere")})
		if err == nil {
			t.Fatalf("started %v", p)
		}
		noError(t, r.Close())
		if there(path) {
			t.Error("the region has not ended with its last")
		}
		if after := openDescriptors(t); after > before {
			t.Errorf("%d descriptors are open, %d before", after, before)
		}
	})
}

type looks struct{ Count *atomics.Value[int64] }

// clerk has a region for reading, and a handle that writes to it.
var clerk = proc.Register("clerk", func(ctx context.Context, a looks) error {
	for _, r := range proc.Regions() {
		fmt.Println(r.Self().PID == os.Getpid())
	}
	atomics.Add(a.Count, 1)
	return nil
})

// A region that is listed read-only is that, and does not stand in the way of
// a handle that writes to it.
func TestReadOnlyBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "house")
	r, err := shm.Create(path, &shm.Options{Size: 1 << 20})
	check(err)
	defer r.Close()
	ro, err := shm.Open(path, &shm.Options{ReadOnly: true})
	check(err)
	defer ro.Close()
	count, err := atomics.OpenValue[int64](r, "count", 0)
	check(err)
	c := startTalk(t, clerk, looks{count}, proc.Options{Regions: []*shm.Region{ro, r, ro}})
	c.expect(t, "false")
	c.expect(t, "true")
	c.expect(t, "false")
	wantCode(t, c.Process, 0)
	c = startTalk(t, clerk, looks{count}, proc.Options{Regions: []*shm.Region{ro}})
	c.expect(t, "false")
	wantCode(t, c.Process, 0)
	if n := count.Load(); n != 2 {
		t.Errorf("counted %d, want 2", n)
	}
}

// A copy of a region has its id. They are two all the same: as listed regions,
// and for handles on what is in them.
func TestCopyBeside(t *testing.T) {
	dir := t.TempDir()
	r, err := shm.Create(filepath.Join(dir, "house"), &shm.Options{Size: 1 << 20})
	check(err)
	defer r.Close()
	b, err := os.ReadFile(r.Name())
	check(err)
	check(os.WriteFile(filepath.Join(dir, "copy"), b, 0o600))
	twin, err := shm.Open(filepath.Join(dir, "copy"), nil)
	check(err)
	defer twin.Close()
	c := startTalk(t, names, struct{}{}, proc.Options{Regions: []*shm.Region{r, twin}})
	c.expect(t, r.Name())
	c.expect(t, twin.Name())
	wantCode(t, c.Process, 0)
	var counts []*atomics.Value[int64]
	for _, r := range []*shm.Region{r, twin} {
		count, err := atomics.OpenValue[int64](r, "count", 0)
		check(err)
		counts = append(counts, count)
	}
	for i, count := range counts { // twin is opened second, and first
		wantCode(t, start(t, hitter, hits{count, i + 1}, nil), 0)
		wantCode(t, start(t, hitterBeside, [2]hits{{counts[0], 10}, {counts[1], 20}}, nil), 0)
	}
	if one, two := counts[0].Load(), counts[1].Load(); one != 21 || two != 42 {
		t.Errorf("counted %d, and %d in the copy, want 21 and 42", one, two)
	}
	for _, r := range []*shm.Region{r, twin} {
		if n := len(r.Participants()); n != 1 {
			t.Errorf("%s: %d participants after the child has left", r.Name(), n)
		}
	}
}

var hitterBeside = proc.Register("hitterBeside", func(ctx context.Context, a [2]hits) error {
	for _, h := range a {
		atomics.Add(h.Count, int64(h.Number))
	}
	return nil
})

var names = proc.Register("names", func(context.Context, struct{}) error {
	for _, r := range proc.Regions() {
		fmt.Println(r.Name())
	}
	return nil
})
