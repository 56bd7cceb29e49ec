package ring_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of Listen, Dial, Accept and the Closes. The
// other side is never left waiting, and the region keeps nothing of it.

func stepListen(r *shm.Region, name string) (net.Listener, error) {
	return ring.Listen(r, name, &ring.ListenOptions{Buffer: 64, Backlog: 2})
}

// rehearsed does all that there is once.
func rehearsed(r *shm.Region, name string) (func() error, error) {
	return func() error {
		for range 2 {
			l, err := stepListen(r, name)
			if err != nil {
				return err
			}
			accepted := make(chan net.Conn, 1)
			go func() {
				c, _ := l.Accept()
				accepted <- c
			}()
			c, err := ring.Dial(bg, r, name)
			if err != nil {
				return err
			}
			if err := errors.Join((<-accepted).Close(), c.Close(), l.Close()); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// dialled is Dial of a listener that may not be there yet.
func dialled(r *shm.Region) (net.Conn, error) {
	for {
		c, err := ring.Dial(bg, r, "svc")
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return c, err
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func streamOp(name string, prepare func(r *shm.Region) (func() error, error)) stepkill.Op {
	return stepkill.Rehearsed("stream/"+name, "svc", func(r *shm.Region, name string) (func() error, error) {
		if name == stepkill.Rehearsal {
			return rehearsed(r, name)
		}
		return prepare(r)
	})
}

var keptListener net.Listener // the victim's

var (
	victimDials = streamOp("dial", func(r *shm.Region) (func() error, error) {
		return func() error { _, err := ring.Dial(bg, r, "svc"); return err }, nil
	})
	victimListens = streamOp("listen", func(r *shm.Region) (func() error, error) {
		return func() (err error) { keptListener, err = stepListen(r, "svc"); return err }, nil
	})
	victimAccepts = streamOp("accept", func(r *shm.Region) (func() error, error) {
		l, err := stepListen(r, "svc")
		keptListener = l
		return func() error { _, err := l.Accept(); return err }, err
	})
	victimStops = streamOp("close a listener", func(r *shm.Region) (func() error, error) {
		l, err := stepListen(r, "svc")
		keptListener = l
		return func() error { return l.Close() }, err
	})
	victimLeavesInBacklog = streamOp("close the region beside a Dial", func(r *shm.Region) (func() error, error) {
		go ring.Dial(bg, r, "svc")
		for {
			s, err := r.Snapshot()
			if err != nil || len(s.Streams) == 1 {
				return r.Close, err
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
	victimLeaves = streamOp("close what was dialled", func(r *shm.Region) (func() error, error) {
		c, err := dialled(r)
		return func() error { return c.Close() }, err
	})
	victimDrops = streamOp("close what was accepted", func(r *shm.Region) (func() error, error) {
		l, err := stepListen(r, "svc")
		if err != nil {
			return nil, err
		}
		keptListener = l
		c, err := l.Accept()
		return func() error { return c.Close() }, err
	})
)

// ends reads to the end.
func endsCleanly(t *testing.T, d stepkill.Death, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 8)); n != 0 || err != io.EOF {
		t.Errorf("after a death %v: Read = %d, %v", d, n, err)
	}
	c.Close()
}

// servedAgain sees that a listener can be made, or is there, and dialled, and that nothing
// is left at the end.
func servedAgain(t *testing.T, d stepkill.Death, r *shm.Region, l net.Listener) {
	t.Helper()
	if l == nil {
		var err error
		if l, err = stepListen(r, "svc"); err != nil {
			t.Fatalf("after a death %v: Listen = %v", d, err)
		}
	}
	for range 3 {
		there, here := meet(t, r, "svc", l)
		speaks(t, there, here, "hello")
		there.Close()
		here.Close()
	}
	l.Close()
	ctx := stepkill.Watchdog(t)
	for {
		s := testproc.Get(r.Snapshot())(t)
		if len(s.Streams)+len(s.Removed) == 0 && len(s.Objects) == 2 { // the rehearsal's, too
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("after a death %v: left is\n%v", d, s)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func TestDialKilledAnywhere(t *testing.T) {
	for name, op := range map[string]stepkill.Op{"dial": victimDials, "close": victimLeaves, "leave": victimLeavesInBacklog} {
		t.Run(name, func(t *testing.T) {
			stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
				l := testproc.Get(stepListen(s.Region, "svc"))(t)
				accepted := make(chan net.Conn, 4)
				accept := func() bool {
					c, err := l.Accept()
					if err == nil {
						accepted <- c
					}
					return err == nil
				}
				if name == "close" {
					go accept()
					d := s.Die(nil)
					endsCleanly(t, d, <-accepted)
					servedAgain(t, d, s.Region, l)
					return
				}
				var turns sync.WaitGroup
				d := s.Die(func() { turns.Go(func() { accept() }) })
				turns.Go(func() { // what it may have left, and the next
					for accept() {
					}
				})
				for range 2 { // one for each who accepts
					testproc.Get(ring.Dial(stepkill.Watchdog(t), s.Region, "svc"))(t).Close()
				}
				l.Close()
				turns.Wait()
				for close(accepted); len(accepted) > 0; {
					endsCleanly(t, d, <-accepted)
				}
				l = nil
				servedAgain(t, d, s.Region, l)
			})
		})
	}
}

func TestListenerKilledAnywhere(t *testing.T) {
	ops := map[string]stepkill.Op{"listen": victimListens, "accept": victimAccepts, "close": victimStops, "close what was accepted": victimDrops}
	for _, name := range stepkill.Some(t, "listen", "accept", "close", "close what was accepted") {
		t.Run(name, func(t *testing.T) {
			stepkill.Every(t, ops[name], func(t *testing.T, s *stepkill.Stage) {
				type answer struct {
					c   net.Conn
					err error
				}
				answers := make(chan answer, 3)
				dial := func() {
					c, err := ring.Dial(bg, s.Region, "svc")
					answers <- answer{c, err}
				}
				dials := 0
				s.OnReady(func() {
					if name == "accept" || name == "close" {
						for dials = range 3 { // one waits for room
							go dial()
						}
						dials = 3
						waiting(t, s.Region, 3)
					}
				})
				if name == "close what was accepted" {
					dials = 1
					go func() {
						c, err := dialled(s.Region)
						answers <- answer{c, err}
					}()
				}
				d := s.Die(nil)
				ctx := stepkill.Watchdog(t)
				for range dials {
					select {
					case a := <-answers:
						if a.err == nil {
							endsCleanly(t, d, a.c)
						} else if !errors.Is(a.err, syscall.ECONNREFUSED) {
							t.Errorf("after a death %v: Dial = %v", d, a.err)
						}
					case <-ctx.Done():
						t.Fatalf("after a death %v: Dial hangs:\n%v", d, testproc.Get(s.Region.Snapshot())(t))
					}
				}
				servedAgain(t, d, s.Region, nil)
			})
		})
	}
}

// Recovery: a process listens, has a connection with itself, one that waits, and dies. Who
// recovers it dies over that, and the next one finishes.
var (
	leftStreams = stepkill.Register("peer leaves streams", func(r *shm.Region) (func() error, error) {
		l, err := stepListen(r, "svc")
		keptListener = l
		return func() error {
			accepted := make(chan error, 1)
			go func() {
				_, err := l.Accept()
				accepted <- err
			}()
			if _, err := ring.Dial(bg, r, "svc"); err != nil {
				return err
			}
			go ring.Dial(bg, r, "svc")
			for {
				s, err := r.Snapshot()
				if err != nil || len(s.Streams) == 2 {
					return errors.Join(err, <-accepted)
				}
				time.Sleep(100 * time.Microsecond)
			}
		}, err
	})
	openRecoversStreams = stepkill.RegisterOpen("open recovers streams")
	guardHealsStreams   = stepkill.RegisterGuard("guard recovers streams", func(r *shm.Region) error { return nil })
)

func TestStreamRecoveryKilledAnywhere(t *testing.T) {
	for _, tt := range stepkill.Some(t, []struct {
		by      string
		op      stepkill.Op
		records int // 1: the one that attaches must recover to get one
	}{{"open", openRecoversStreams, 1}, {"guard", guardHealsStreams, 4}}...) {
		t.Run(tt.by, func(t *testing.T) {
			stepkill.EveryRecovery(t, tt.op, tt.records, func(t *testing.T, r *shm.Region) {}, leftStreams, func(t *testing.T, r *shm.Region, d stepkill.Death) {
				if _, err := ring.Dial(stepkill.Watchdog(t), r, "svc"); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("after a death %v: Dial = %v", d, err)
				}
				l := testproc.Get(stepListen(r, "svc"))(t)
				there, here := meet(t, r, "svc", l)
				speaks(t, there, here, "hello")
				there.Close()
				here.Close()
				l.Close()
				ctx := stepkill.Watchdog(t)
				for s := testproc.Get(r.Snapshot())(t); len(s.Streams) > 0 || len(s.Objects) != 1; s = testproc.Get(r.Snapshot())(t) {
					if ctx.Err() != nil {
						t.Fatalf("after a death %v: left is\n%v", d, s)
					}
					time.Sleep(100 * time.Microsecond)
				}
			})
		})
	}
}
