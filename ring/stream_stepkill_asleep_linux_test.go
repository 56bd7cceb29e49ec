package ring_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim is killed at each effect of an Accept that sleeps, of a Close beside an Accept of
// its own that does, of a Dial that is refused, and of a Listen where somebody has listened
// before, with its own options and with others.

var (
	victimIsRefused = streamOp("dial in vain", func(r *shm.Region) (func() error, error) {
		return func() error {
			c, err := ring.Dial(bg, r, "svc")
			if errors.Is(err, syscall.ECONNREFUSED) {
				return nil
			}
			return errors.Join(errors.New("dialled"), err, c.Close())
		}, nil
	})
	victimStopsItself = streamOp("close a listener beside its Accept", func(r *shm.Region) (func() error, error) {
		l, err := stepListen(r, "svc")
		if err != nil {
			return nil, err
		}
		keptListener = l
		go l.Accept()
		waitedFor(bg, r, "svc")
		return l.Close, nil
	})
)

func TestAcceptAsleepKilledAnywhere(t *testing.T) {
	listened := func(t *testing.T, s *stepkill.Stage, o ring.ListenOptions) {
		testproc.OK(t, testproc.Get(ring.Listen(s.Region, "svc", &o))(t).Close())
	}
	type scene struct {
		name  string
		op    stepkill.Op
		set   func(t *testing.T, s *stepkill.Stage)
		dials bool // once the victim sleeps
	}
	for _, tt := range stepkill.Some(t,
		scene{"accept", victimAccepts, nil, true},
		scene{"close", victimStopsItself, nil, false},
		scene{"refused", victimIsRefused, func(t *testing.T, s *stepkill.Stage) { listened(t, s, ring.ListenOptions{Buffer: 64, Backlog: 2}) }, false},
		scene{"listen again", victimListens, func(t *testing.T, s *stepkill.Stage) { listened(t, s, ring.ListenOptions{Buffer: 64, Backlog: 2}) }, false},
		scene{"listen anew", victimListens, func(t *testing.T, s *stepkill.Stage) { listened(t, s, ring.ListenOptions{Buffer: 128, Backlog: 3}) }, false},
	) {
		t.Run(tt.name, func(t *testing.T) {
			stepkill.Every(t, tt.op, func(t *testing.T, s *stepkill.Stage) {
				if tt.set != nil {
					tt.set(t, s)
				}
				type answer struct {
					c   net.Conn
					err error
				}
				var wake func()
				answers, dials := make(chan answer, 1), 0
				if tt.dials {
					wake = func() {
						dials = 1
						go func() {
							c, err := ring.Dial(stepkill.Watchdog(t), s.Region, "svc")
							answers <- answer{c, err}
						}()
					}
				}
				d := s.Die(wake)
				for range dials {
					if a := <-answers; a.err == nil {
						endsCleanly(t, d, a.c)
					} else if !errors.Is(a.err, syscall.ECONNREFUSED) {
						t.Errorf("after a death %v: Dial = %v", d, a.err)
					}
				}
				servedAgain(t, d, s.Region, nil)
			})
		})
	}
}
