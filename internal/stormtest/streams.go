package stormtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Tellers put numbered messages into SPSCs, of which there is one after the other on each
// of two lines: one is shut down now and then, and who puts goes on with the next; who gets
// does so at its end. Several processes want each side at a time, and one has it. A hearer
// passes on what it has got, to be counted where nobody is killed.
//
// Of each teller all that it has put arrives, in order, and once; but what a hearer had in
// its hands when it was killed, handful at most.
type (
	told  struct{ By, N, Check int64 }
	heard struct {
		told
		Line, To int64
	}
)

const (
	Lines   = 2
	Tellers = 1 << 14 // in one storm at most: those that take the place of killed ones included
	handful = 3       // messages at a time
	ahead   = 3       // SPSCs that are there before anybody needs them
)

// Streams are one process's handles.
type Streams struct {
	r     *shm.Region
	heard *ring.Queue[heard]
	at    *atomics.Array[int64] // by line: the one that is being got from
	last  *atomics.Array[int64] // by line: how many there are at all, when that is known
	noted *atomics.Array[int64] // by teller: so many are put
	stop  *atomics.Value[int32]
}

// OpenStreams finds the streams of a storm, or makes them.
func OpenStreams(r *shm.Region) (*Streams, error) {
	s := &Streams{r: r}
	var errs [5]error
	s.heard, errs[0] = ring.OpenQueue[heard](r, "streams-heard", &ring.QueueOptions{Capacity: 50})
	s.at, errs[1] = atomics.OpenArray[int64](r, "streams-at", Lines)
	s.last, errs[2] = atomics.OpenArray[int64](r, "streams-last", Lines)
	s.noted, errs[3] = atomics.OpenArray[int64](r, "streams-noted", Tellers)
	s.stop, errs[4] = atomics.OpenValue(r, "streams-stop", int32(0))
	return s, errors.Join(errs[:]...)
}

func streamName(line int, i int64) string { return fmt.Sprintf("stream-%d-%d", line, i) }

// find opens an SPSC that is there.
func (s *Streams) find(line int, i int64) (*ring.SPSC[told], error) {
	mode := []ring.Wait{ring.Adaptive, ring.Sleep}[rand.IntN(2)]
	return ring.OpenSPSC[told](s.r.Existing(), streamName(line, i), &ring.SPSCOptions{Wait: mode})
}

// from is the SPSC at i or, where it is gone or not there yet, the one that the line is at
// by then. There is none when the storm is over.
func (s *Streams) from(line int, i int64) (*ring.SPSC[told], int64, error) {
	for {
		q, err := s.find(line, i)
		if !errors.Is(err, fs.ErrNotExist) {
			return q, i, err
		}
		if last := s.last.Load(line); last != 0 && i >= last {
			return nil, i, nil
		}
		time.Sleep(rand.N(time.Millisecond))
		i = max(i, s.at.Load(line))
	}
}

// A Teller puts. It outlives the region: what a Put did not put that returned ErrClosed is
// put again.
type Teller struct {
	Me   int
	done int64 // so many are put
	at   int64
}

// Work puts until the storm ends, which is nil, or the region is closed.
func (p *Teller) Work(s *Streams, line int) error {
	s.noted.Store(p.Me, p.done)
	q, i, err := s.from(line, max(p.at, s.at.Load(line)))
	for err == nil && q != nil && s.stop.Load() == 0 {
		p.at = i
		var n int
		n, err = p.put(q)
		if p.done += int64(n); n > 0 {
			s.noted.Store(p.Me, p.done)
		}
		switch {
		case errors.Is(err, ring.ErrShutdown):
			q.Close()
			q, i, err = s.from(line, max(i+1, s.at.Load(line)))
		case errors.Is(err, ring.ErrBusy), errors.Is(err, ring.ErrFull):
			err = nil
			time.Sleep(rand.N(500 * time.Microsecond))
		case err == nil && rand.IntN(5000) == 0:
			err = q.Shutdown()
		}
	}
	return err
}

func (p *Teller) put(q *ring.SPSC[told]) (n int, err error) {
	bg := context.Background()
	message := func(n int64) told { return told{int64(p.Me), n, int64(p.Me) ^ n<<20} }
	switch first := message(p.done + 1); rand.IntN(3) {
	case 0:
		return q.PutBatch(bg, []told{first, message(p.done + 2), message(p.done + 3)})
	case 1:
		err = q.TryPut(first)
	default:
		err = q.Put(bg, first)
	}
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// A Hearer gets. It outlives the region, and so does what it has in its hands.
type Hearer struct {
	Me  int
	due []heard
}

// Work gets until the last SPSC of the line is at its end, which is nil, or the region is
// closed.
func (c *Hearer) Work(s *Streams, line int) error {
	if err := c.passOn(s); err != nil { // also where all is over by now
		return err
	}
	q, i, err := s.from(line, s.at.Load(line))
	for err == nil && q != nil {
		if err := c.passOn(s); err != nil {
			return err
		}
		var vs [handful]told
		var n int
		n, err = c.get(q, vs[:])
		for _, v := range vs[:n] {
			if v.Check != v.By^v.N<<20 || v.N == 0 {
				return fmt.Errorf("got a torn message: %v", v)
			}
			c.due = append(c.due, heard{v, int64(line), int64(c.Me)})
		}
		switch {
		case errors.Is(err, io.EOF):
			s.at.CompareAndSwap(line, i, i+1) // or another has
			q.Close()
			q, i, err = s.from(line, s.at.Load(line))
		case errors.Is(err, ring.ErrBusy):
			time.Sleep(rand.N(500 * time.Microsecond))
			if now := s.at.Load(line); now > i {
				q.Close()
				q, i, err = s.from(line, now)
				continue
			}
			err = nil
		case errors.Is(err, ring.ErrEmpty):
			err = nil
			runtime.Gosched()
		}
	}
	return err
}

// passOn passes on what it has in its hands.
func (c *Hearer) passOn(s *Streams) error {
	for len(c.due) > 0 {
		if err := s.heard.Put(context.Background(), c.due[0]); err != nil {
			return err
		}
		c.due = c.due[1:]
	}
	return nil
}

func (c *Hearer) get(q *ring.SPSC[told], vs []told) (n int, err error) {
	bg := context.Background()
	switch rand.IntN(3) {
	case 0:
		return q.GetBatch(bg, vs)
	case 1:
		vs[0], err = q.TryGet()
	default:
		vs[0], err = q.Get(bg)
	}
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// A Hearing counts what is heard, and keeps the lines going; it is where nobody is killed.
type Hearing struct {
	s     *Streams
	made  [Lines]int64 // so many SPSCs were
	gone  [Lines]int64 // of which so many are removed
	ended chan error
	came  *arrivals
}

// Hear counts until the queue of what is heard ends.
func (s *Streams) Hear(t testing.TB) *Hearing {
	h := &Hearing{s: s, ended: make(chan error, 1), came: newArrivals()}
	go func() {
		for v, err := range s.heard.All(context.Background()) {
			if err != nil {
				h.ended <- err
				return
			}
			h.came.add(t, "message", v.By, v.N, v.To)
		}
		h.ended <- nil
	}()
	return h
}

// Tend makes the next SPSCs, removes those that are at their end, and shuts one down now
// and then.
func (h *Hearing) Tend(t testing.TB, shut bool) {
	t.Helper()
	for line := range Lines {
		at := h.s.at.Load(line)
		for ; h.made[line] < at+ahead; h.made[line]++ {
			q, err := ring.OpenSPSC[told](h.s.r, streamName(line, h.made[line]), &ring.SPSCOptions{Capacity: 7})
			testproc.OK(t, err)
			testproc.OK(t, q.Close())
		}
		for ; h.gone[line] < at; h.gone[line]++ {
			testproc.OK(t, h.s.r.Remove(streamName(line, h.gone[line])))
		}
		if shut && rand.IntN(4) == 0 {
			h.shutDown(t, line, at)
		}
	}
}

func (h *Hearing) shutDown(t testing.TB, line int, i int64) {
	t.Helper()
	q, err := h.s.find(line, i)
	testproc.OK(t, err)
	testproc.OK(t, q.Shutdown())
	testproc.OK(t, q.Close())
}

// Begun waits until something is put.
func (h *Hearing) Begun(t testing.TB, tellers int) {
	t.Helper()
	begun(t, h.s.noted, tellers)
}

// End ends the Tellers, and the Hearers when they have got all.
func (h *Hearing) End(t testing.TB) {
	t.Helper()
	h.s.stop.Store(1)
	h.Tend(t, false)
	for line := range Lines {
		h.s.last.Store(line, h.made[line])
		for i := h.s.at.Load(line); i < h.made[line]; i++ {
			h.shutDown(t, line, i)
		}
	}
}

// Balance is when all have ended: of what the first so many tellers noted all was heard, but
// for what went with the hearers that were killed; without kills, that and no more. It
// removes the SPSCs that are left.
func (h *Hearing) Balance(t testing.TB, tellers, kills int) (put, lost int) {
	t.Helper()
	testproc.OK(t, h.s.heard.Shutdown())
	testproc.OK(t, <-h.ended)
	for line := range Lines {
		for ; h.gone[line] < h.made[line]; h.gone[line]++ {
			testproc.OK(t, h.s.r.Remove(streamName(line, h.gone[line])))
		}
	}
	put, lost = h.came.against(t, "message", h.s.noted, tellers, handful)
	if lost > kills*handful || kills == 0 && h.came.n != put {
		t.Errorf("%d were put, %d heard, %d lost, with %d kills", put, h.came.n, lost, kills)
	}
	return put, lost
}
