package damage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// When a round damages the region.
const (
	before  = iota // it is opened
	between        // it was opened, and the operations
	amidst         // the operations, again and again
	nMoments
)

// A round is one damaged region, and what is done to it.
type round struct {
	name   string // of the seed, for messages
	moment int
	edits  []edit
	rnd    *mathrand.Rand
	ops    int // how many; 0: all
	path   string
	watch  *watch

	called func(op, error) // nil, or told of each

	faults  []error
	corrupt int // calls that said ErrCorrupt
	refused int // that said anything else
}

// newRound is the round of a seed.
func newRound(seed uint64, all []span) *round {
	rnd := mathrand.New(mathrand.NewPCG(seed, 1))
	return &round{name: fmt.Sprint("seed ", seed), moment: rnd.IntN(nMoments), edits: damage(rnd, all), rnd: rnd, ops: 200}
}

// A watch is what the watchdog sees of a round: since when which call runs.
type watch struct {
	what  atomic.Pointer[string]
	since atomic.Int64 // Unix nanoseconds; 0: nothing runs
}

const (
	// tooLong is for a machine that has much else to do. The longest that a
	// call waits for anything is Check, for a directory that is being changed.
	tooLong = 2 * time.Minute
	// tooMuch is what all calls that run at a time may allocate while one does:
	// regions are of 1 MiB. One that waits, for answers of others, is charged with all that
	// the others do meanwhile.
	tooMuch       = 96 << 20
	tooMuchSecond = 512 << 20
)

// guard ends the process if a call goes on for too long.
func (w *watch) guard() {
	for range time.Tick(tooLong / 40) {
		if t := w.since.Load(); t != 0 && time.Since(time.Unix(0, t)) > tooLong {
			b := make([]byte, 1<<20)
			fmt.Fprintf(os.Stderr, "%s: still running after %v\n%s\n", *w.what.Load(), tooLong, b[:runtime.Stack(b, true)])
			os.Exit(5)
		}
	}
}

// run is one call under watch.
func (r *round) run(o op) {
	what := fmt.Sprintf("%s (%d edits, moment %d): %s", r.name, len(r.edits), r.moment, o.name)
	fault := func(format string, args ...any) {
		r.faults = append(r.faults, fmt.Errorf("%s: %s", what, fmt.Sprintf(format, args...)))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	r.watch.what.Store(&what)
	r.watch.since.Store(time.Now().UnixNano())
	allocated, begun := allocations(), time.Now()
	defer func() {
		r.watch.since.Store(0)
		if p := recover(); p != nil {
			fault("panic: %v\n%s", p, debug.Stack())
		}
		if n := allocations() - allocated; float64(n) > tooMuch+tooMuchSecond*time.Since(begun).Seconds() {
			fault("%d MB allocated", n>>20)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	err := o.do(ctx)
	if d := time.Since(begun); d > slow {
		fmt.Fprintf(os.Stderr, "slow: %s: %v: %v\n", what, d, err)
	}
	if r.called != nil {
		r.called(o, err)
	}
	switch {
	case errors.Is(err, shm.ErrCorrupt):
		r.corrupt++
	case err != nil:
		r.refused++
	}
	if why := undocumented(err); why != "" {
		fault("%s: %#v %v", why, err, err)
	}
}

// slow calls are printed.
var slow = time.Duration(1<<63 - 1)

func allocations() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// documented is all that an error may wrap, and io, fs and context of them.
var documented = []error{
	shm.ErrClosed, shm.ErrMismatch, shm.ErrNotRegion, shm.ErrVersion, shm.ErrCorrupt, shm.ErrNoSpace,
	shm.ErrTooManyParticipants, shm.ErrOwnerDied, shm.ErrNotOwner, shm.ErrNotLocked,
	sync.ErrBroken, sync.ErrOverRelease,
	ring.ErrFull, ring.ErrEmpty, ring.ErrTooLarge, ring.ErrShutdown, ring.ErrOverDone, ring.ErrBusy, ring.ErrCodec, ring.ErrDirection, syscall.EPIPE,
	io.EOF, fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, context.DeadlineExceeded, syscall.EBUSY,
}

// undocumented says what is wrong with an error, if anything is.
func undocumented(err error) string {
	var e *shm.Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &e):
		return "an error that is no *shm.Error"
	case e.Op == "":
		return "an error without an operation"
	}
	for _, d := range documented {
		if errors.Is(err, d) {
			return ""
		}
	}
	return "an error that wraps nothing documented"
}

// copyImage makes a region's file of an image. Its id is its own: two regions
// of one id in a process would be taken for one.
func copyImage(image []byte, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(int64(len(image))); err != nil {
		return err
	}
	for off := 0; off < len(image); off += 4096 {
		b := image[off : off+4096]
		if [4096]byte(b) == [4096]byte{} {
			continue // a hole
		}
		if _, err := f.WriteAt(b, int64(off)); err != nil {
			return err
		}
	}
	id := make([]byte, 16)
	rand.Read(id)
	_, err = f.WriteAt(id, 24)
	return err
}

// play plays the round.
func (r *round) play(image []byte, dir string) (faults []error, err error) {
	r.path = filepath.Join(dir, fmt.Sprintf("region-%d", regions.Add(1)))
	if err := copyImage(image, r.path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(r.path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer os.Remove(r.path)
	spoil := func() {
		for _, e := range r.edits {
			if e := e.apply(f); e != nil {
				err = e
			}
		}
	}
	if r.moment == before {
		spoil()
		r.inspect()
	}
	r.use(func() {
		if r.moment == between {
			spoil()
		}
	}, func(stop chan bool) {
		for r.moment == amidst {
			select {
			case <-stop:
				return
			default:
				spoil()
				time.Sleep(patient / 2)
			}
		}
	})
	if r.rnd.IntN(3) == 0 {
		r.inspect()
		r.use(func() {}, func(chan bool) {}) // a newcomer
	}
	r.run(op{"shm.Remove", func(context.Context) error { return shm.Remove(r.path) }})
	return r.faults, err
}

var regions atomic.Uint64

// inspect looks at the region as it lies there, and changes nothing.
func (r *round) inspect() {
	r.open(&shm.Options{ReadOnly: true}, func(reg *shm.Region) {
		u := &user{r: reg, rnd: r.rnd}
		u.region()
		for _, o := range u.ops {
			r.run(o)
		}
	})
}

// use opens the region and calls operations, in an order of the seed's.
func (r *round) use(ready func(), meanwhile func(stop chan bool)) {
	var u *user
	r.open(nil, func(reg *shm.Region) {
		u = newUser(reg, r.rnd, r.moment == amidst, r.run)
		ready()
		stop, stopped := make(chan bool), make(chan bool)
		go func() {
			meanwhile(stop)
			close(stopped)
		}()
		n := len(u.ops)
		if r.ops != 0 {
			n = min(n, r.ops)
		}
		for _, i := range r.rnd.Perm(len(u.ops))[:n] {
			r.run(u.ops[i])
		}
		close(stop)
		<-stopped
	})
	if u != nil {
		r.run(op{"what ends with Close", func(context.Context) error { u.left.Wait(); return nil }})
	}
}

func (r *round) open(o *shm.Options, f func(*shm.Region)) {
	var reg *shm.Region
	r.run(op{"shm.Open", func(context.Context) (err error) {
		reg, err = shm.Open(r.path, o)
		return err
	}})
	if reg == nil {
		return
	}
	f(reg)
	r.run(op{"Close", func(context.Context) error { return reg.Close() }})
}
