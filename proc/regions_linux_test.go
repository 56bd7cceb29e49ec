package proc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
)

type rooms struct {
	Do   string
	One  *shm.Region
	None *shm.Region
	More []struct{ Of map[string]*shm.Region }
}

// visitor attaches to what it is handed, says so, and ends as it is told to.
var visitor = proc.Register("visitor", func(ctx context.Context, a rooms) error {
	for _, r := range append(proc.Regions(), a.One, a.More[0].Of["two"]) {
		fmt.Println(r.Name(), r.Self().Name, r.Self().PID == os.Getpid(), len(r.Participants()))
	}
	if a.None != nil {
		return errors.New("a nil region has arrived as something else")
	}
	fds, err := filepath.Glob("/proc/self/fd/*")
	check(err)
	for _, fd := range fds {
		if to, _ := os.Readlink(fd); strings.Contains(to, "stray") {
			return fmt.Errorf("descriptor %s is %s", fd, to)
		}
	}
	switch a.Do {
	case "panic":
		panic("on purpose")
	case "error":
		return errors.New("on purpose")
	case "listen":
		fmt.Println("ready")
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
})

// regions makes one region under a name and two anonymous ones.
func regions(t *testing.T) (named, one, two *shm.Region) {
	t.Helper()
	t.Setenv("TANDEM_DIR", t.TempDir())
	o := &shm.Options{Size: 1 << 20}
	named, err := shm.Create("house", o)
	check(err)
	one, err = shm.Anonymous(o)
	check(err)
	two, err = shm.Anonymous(o)
	check(err)
	stray, err := shm.Create("stray", o) // is handed to nobody
	check(err)
	t.Cleanup(func() {
		for _, r := range []*shm.Region{named, one, two, stray} {
			noError(t, r.Close())
		}
	})
	return named, one, two
}

// Regions go along: listed ones in their order, those of handles wherever they
// are in the argument, each once. A function's return leaves them in an
// orderly way, whatever it returned; a panic does not.
func TestRegions(t *testing.T) {
	for _, tt := range []struct {
		do    string
		code  int
		state shm.State
	}{
		{"nil", 0, shm.Leaving},
		{"error", 1, shm.Leaving},
		{"listen", -15, shm.Leaving},
		{"panic", 2, shm.Dead},
	} {
		t.Run(tt.do, func(t *testing.T) {
			named, one, two := regions(t)
			ctx := testproc.Watchdog(t)
			exits := one.Exits(ctx)
			arg := rooms{Do: tt.do, One: one}
			arg.More = append(arg.More, struct{ Of map[string]*shm.Region }{map[string]*shm.Region{"two": two}})
			var stderr bytes.Buffer
			c := startTalk(t, visitor, arg, proc.Options{Name: "guest", Regions: []*shm.Region{named, one}, Stderr: &stderr})
			for _, r := range []*shm.Region{named, one, one, two} {
				c.expect(t, r.Name()+" guest true 2")
			}
			if tt.do == "listen" {
				c.expect(t, "ready")
				noError(t, c.Terminate())
			}
			wantCode(t, c.Process, tt.code)
			if tt.code >= 0 && (tt.do == "nil") != (stderr.Len() == 0) {
				t.Errorf("stderr %q", stderr.String())
			}
			for p := range exits {
				if p.PID != c.PID() || p.Name != "guest" || p.State != tt.state {
					t.Errorf("the child's exit: %+v, want state %v", p, tt.state)
				}
				break
			}
			noError(t, ctx.Err())
		})
	}
}

type hits struct {
	Count  *atomics.Value[int64]
	Number int
}

// hitter adds to a count that it got as a handle.
var hitter = proc.Register("hitter", func(ctx context.Context, a hits) error {
	for range a.Number {
		atomics.Add(a.Count, 1)
	}
	return nil
})

// Handles on objects of an anonymous region, in children that several
// goroutines start.
func TestHandles(t *testing.T) {
	r, err := shm.Anonymous(nil)
	check(err)
	defer r.Close()
	count, err := atomics.OpenValue[int64](r, "count", 0)
	check(err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p, err := hitter.Start(context.Background(), hits{count, 10_000}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			wantCode(t, p, 0)
		})
	}
	wg.Wait()
	if n := count.Load(); n != 40_000 {
		t.Errorf("counted %d, want 40000", n)
	}
	noError(t, r.Check())
}

func TestNoRegions(t *testing.T) {
	if l := proc.Regions(); len(l) != 0 {
		t.Errorf("Regions in no child = %v", l)
	}
	_, err := visitor.Start(context.Background(), rooms{}, &proc.Options{Regions: []*shm.Region{nil}})
	if err == nil || !strings.Contains(err.Error(), "Options.Regions[0] is nil") {
		t.Errorf("Start with a nil region = %v", err)
	}
}

func TestClosedRegion(t *testing.T) {
	r, err := shm.Anonymous(&shm.Options{Size: 1 << 20})
	check(err)
	check(r.Close())
	if p, err := visitor.Start(context.Background(), rooms{One: r}, nil); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Start with a closed region in the argument = %v, %v", p, err)
	}
	if p, err := visitor.Start(context.Background(), rooms{}, &proc.Options{Regions: []*shm.Region{r}}); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Start with a closed Options.Regions = %v, %v", p, err)
	}
}
