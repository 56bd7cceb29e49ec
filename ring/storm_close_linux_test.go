package ring_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// What a goroutine of a storm's leaver has yet to do outlives the region: a Put
// that returned ErrClosed has put nothing and is tried again in the next one.
type (
	stormPutter struct {
		me   int
		done int64 // so many are put
	}
	stormTaker struct {
		kills bool // there are some: a task is done only when its result is put
		due   *outcome
	}
)

// work puts until the storm ends, which is nil, or the region is closed.
func (p *stormPutter) work(s *storm) error {
	s.noted.Store(p.me, p.done) // the last one may have gone with the region
	for s.stop.Load() == 0 {
		if p.done%7 == 0 { // several at a time
			n, err := s.tasks.PutBatch(bg, []task{stormTask(p.me, p.done+1), stormTask(p.me, p.done+2), stormTask(p.me, p.done+3)})
			p.done += int64(n)
			if err != nil {
				return err
			}
		} else {
			if err := s.tasks.Put(bg, stormTask(p.me, p.done+1)); err != nil {
				return err
			}
			p.done++
		}
		s.noted.Store(p.me, p.done)
	}
	return nil
}

// tell puts the result that is due.
func (c *stormTaker) tell(s *storm) error {
	if c.due == nil {
		return nil
	}
	err := s.results.Put(bg, *c.due)
	if err == nil {
		c.due = nil
	}
	return err
}

// work takes until the queue ends, which is io.EOF, or the region is closed.
func (c *stormTaker) work(s *storm) error {
	for {
		if err := c.tell(s); err != nil {
			return err
		}
		if !c.kills && rand.IntN(3) == 0 {
			v, err := s.tasks.Get(bg)
			if err != nil {
				return err
			}
			c.due = &outcome{Producer: v.Producer, Seq: v.Seq, Done: true}
			if err := s.tasks.TaskDone(); err != nil {
				return err
			}
			continue
		}
		d, err := s.tasks.Lease(bg)
		if err != nil {
			return err
		}
		v := d.Value()
		o := &outcome{Producer: v.Producer, Seq: v.Seq, Attempt: int64(d.Attempt())}
		c.due = o
		if c.kills {
			if err := c.tell(s); err != nil {
				return err
			}
			if err := d.Ack(); err != nil {
				return err
			}
			continue
		}
		if rand.IntN(8) == 0 {
			err = d.Nack()
		} else {
			err = d.Ack()
			o.Done = err == nil
		}
		if err != nil {
			return err
		}
	}
}

// A leaver is a worker of the storm that closes the region under its own calls
// whenever it hears so, and opens it anew.
var stormLeaver = testproc.Role("storm leaver", func(args []string) {
	me, err := strconv.Atoi(args[1])
	testproc.Must(err)
	putters := []*stormPutter{{me: me}, {me: me + 1}}
	var takers []*stormTaker
	if args[2] == "takes" {
		putters = nil
		takers = []*stormTaker{{kills: args[3] == "kills"}, {kills: args[3] == "kills"}}
	}
	orders := make(chan bool)
	go func() {
		defer close(orders)
		for {
			if _, ok := testproc.Hear(); !ok {
				return
			}
			orders <- true
		}
	}()
	for {
		s, err := openStorm(attached(args[0]))
		testproc.Must(err)
		var wg sync.WaitGroup
		over := func(err error) {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, shm.ErrClosed) {
				testproc.Must(err)
			}
		}
		for _, p := range putters {
			wg.Go(func() { over(p.work(s)) })
		}
		for _, c := range takers {
			wg.Go(func() { over(c.work(s)) })
		}
		ended := make(chan bool)
		go func() { wg.Wait(); close(ended) }()
		ordered := false
		select {
		case <-ended:
		case _, ordered = <-orders:
		}
		if !ordered { // the end of the storm, or there are no more orders, and it is near
			<-ended
			testproc.Must(s.r.Close())
			return
		}
		testproc.Must(s.r.Close())
		<-ended
		testproc.Say("closed")
	}
})

// A storm of Closes and stops, with kills and without. Without, every task is
// done exactly once: what returned ErrClosed had no effect, and what returned
// nil had one.
func TestClosingStorm(t *testing.T) {
	for kind, kill := range map[string]bool{"closes": false, "kills": true} {
		t.Run(kind, func(t *testing.T) {
			length := effort.Storm(t, 4*time.Second)
			s, err := openStorm(region(t))
			if err != nil {
				t.Fatal(err)
			}
			y := s.count(t)
			const each = 2
			next := 1
			startProducer := func() *testproc.Child {
				next += 2
				return stormLeaver.Start(t, s.r.Name(), strconv.Itoa(next-2), "puts", kind)
			}
			startConsumer := func() *testproc.Child { return stormLeaver.Start(t, s.r.Name(), "0", "takes", kind) }
			ps, cs := make([]*testproc.Child, each), make([]*testproc.Child, each)
			for i := range each {
				ps[i], cs[i] = startProducer(), startConsumer()
			}
			kills, stops, closes := 0, 0, 0
			for end := time.Now().Add(length); time.Now().Before(end) && next < stormProducers-2; {
				time.Sleep(rand.N(10 * time.Millisecond))
				of, start := ps, startProducer
				if rand.IntN(2) == 0 {
					of, start = cs, startConsumer
				}
				i := rand.IntN(each)
				switch n := rand.IntN(8); {
				case n == 0 && kill:
					of[i].Kill()
					of[i] = start()
					kills++
				case n < 2:
					halt(of[i])
					stops++
				default:
					of[i].Say("close")
					of[i].Expect("closed")
					closes++
				}
			}
			committed := s.finish(t, y, ps, cs, next)
			t.Logf("%d closes, %d kills, %d stops, %d messages committed, %d delivered again", closes, kills, stops, committed, y.again)
			if kill {
				return
			}
			done := 0
			for n, os := range y.seen {
				d := 0
				for _, o := range os {
					if o.Done {
						d++
					}
				}
				if d != 1 {
					t.Errorf("%v was done %d times: %v", n, d, os)
				}
				done += d
			}
			if done != committed {
				t.Errorf("%d tasks were put and %d done", committed, done)
			}
		})
	}
}
