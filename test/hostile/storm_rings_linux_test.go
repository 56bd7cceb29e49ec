package hostile_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"example.com/tandem/internal/stormtest"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// stormMost is how many workers there may be in one storm.
const stormMost = min(stormtest.Producers, stormtest.Tellers, stormtest.Writers, stormtest.Speakers, stormtest.Callers) - 4

// Rings are where nobody is killed: what carries messages in a storm, and the ledgers.
type rings struct {
	r       *shm.Region
	queues  *stormtest.Queues
	streams *stormtest.Streams
	letters *stormtest.Letters
	talks   *stormtest.Talks
	conns   *stormtest.Conns

	idle    bool // nobody uses them
	tally   *stormtest.Tally
	hearing *stormtest.Hearing
	mail    *stormtest.Mail
	ledger  *stormtest.Ledger
	heard   [2]chan heard // by the two audiences
}

// A heard is what a subscriber has of all that came, with text or without.
type heard struct {
	received, missed uint64
	err              error
}

func openRings(r *shm.Region) (*rings, error) {
	a := &rings{r: r}
	var errs [5]error
	a.queues, errs[0] = stormtest.Open(r)
	a.streams, errs[1] = stormtest.OpenStreams(r)
	a.letters, errs[2] = stormtest.OpenLetters(r)
	a.talks, errs[3] = stormtest.OpenTalks(r, ring.Reliable, ring.Lossy)
	a.conns, errs[4] = stormtest.OpenConns(r)
	return a, errors.Join(errs[:]...)
}

// begin has all that is got counted.
func (a *rings) begin(t *testing.T, idle bool) {
	if a.idle = idle; idle {
		return
	}
	a.tally, a.hearing, a.mail = a.queues.Count(t), a.streams.Hear(t), a.letters.Mail(t)
	a.ledger = a.conns.Ledger(t)
	for text := range a.heard {
		seesAll, err := a.talks.Attend(text == 1)
		if err != nil {
			t.Fatal(err)
		}
		a.heard[text] = make(chan heard, 1)
		go func() {
			received, missed, err := seesAll()
			a.heard[text] <- heard{received, missed, err}
		}()
	}
}

// begun waits until something has come by each.
func (a *rings) begun(t *testing.T, workers int) {
	if !a.idle {
		a.queues.Begun(t, workers)
		a.hearing.Begun(t, workers)
		a.mail.Begun(t, workers)
		a.talks.Begun(t, workers)
		a.ledger.Begun(t, workers)
	}
}

// tend keeps the SPSCs coming.
func (a *rings) tend(t *testing.T) {
	if !a.idle {
		a.hearing.Tend(t, false)
	}
}

// stop ends those who put, send and publish.
func (a *rings) stop() {
	a.queues.Stop()
	a.talks.Stop()
	a.conns.Stop()
}

// end ends those who get, receive and subscribe, when they have all.
func (a *rings) end(t *testing.T) {
	a.queues.Shutdown(t)
	if !a.idle {
		a.hearing.End(t)
		a.mail.End(t)
		a.talks.Shutdown(t)
	}
}

// balance is when all so many workers have ended, of which some were killed, if any was to be.
func (a *rings) balance(t *testing.T, workers, kills int, killing bool) {
	a.queues.Join(t)
	if a.idle {
		return
	}
	committed := a.queues.Balance(t, a.tally, workers, !killing)
	letters, lettersLost := a.mail.Balance(t, workers, kills)
	came := a.talks.Came(t, a.r, workers, textual)
	for text, name := range []string{stormtest.PlainTalk, stormtest.TextTalk} {
		h := <-a.heard[text]
		if h.err != nil || h.received+h.missed != came[name] || text == 0 && h.missed != 0 {
			t.Errorf("%s: %d received, %d missed, %v; and %d came", name, h.received, h.missed, h.err, came[name])
		}
	}
	put, putLost := a.hearing.Balance(t, workers, kills)
	calls, bytes := a.ledger.Balance(t, workers, kills)
	t.Logf("%d connections with %d bytes, of which both ends have told", calls, bytes)
	t.Logf("%d tasks, %d delivered again; of %d messages of SPSCs %d, and of %d letters %d, were lost in hands; by broadcasts %v",
		committed, a.tally.Again, put, putLost, letters, lettersLost, came)
}

// textual says which speakers' messages are texts.
func textual(speaker int) bool { return speaker%2 == 1 }

// Hands are a worker's part in all that carries messages. They outlive the region.
type hands struct {
	putter  *stormtest.Putter
	takers  []*stormtest.Taker
	teller  *stormtest.Teller
	hearer  *stormtest.Hearer
	writer  *stormtest.Writer
	reader  *stormtest.Reader
	speaker *stormtest.Speaker
	caller  *stormtest.Caller
	desk    *stormtest.Desk
}

func newHands(me int, kills bool) *hands {
	return &hands{
		putter:  &stormtest.Putter{Me: me},
		takers:  []*stormtest.Taker{{Kills: kills}, {Kills: kills, Words: true}},
		teller:  &stormtest.Teller{Me: me},
		hearer:  &stormtest.Hearer{Me: me},
		writer:  &stormtest.Writer{Me: me},
		reader:  &stormtest.Reader{Me: me},
		speaker: &stormtest.Speaker{Me: me, Text: textual(me), Pause: time.Millisecond},
		caller:  &stormtest.Caller{Me: me},
		desk:    &stormtest.Desk{},
	}
}

func (h *hands) reopened() {
	for _, c := range h.takers {
		c.Reopened()
	}
}

// work has it all done until the storm ends or the region is closed.
func (h *hands) work(s *storm, wg *sync.WaitGroup) {
	with(s, wg, stormtest.Open, h.putter.Work)
	for _, c := range h.takers {
		with(s, wg, stormtest.Open, c.Work)
	}
	line := h.teller.Me % stormtest.Lines
	with(s, wg, stormtest.OpenStreams, func(x *stormtest.Streams) error { return h.teller.Work(x, line) })
	with(s, wg, stormtest.OpenStreams, func(x *stormtest.Streams) error { return h.hearer.Work(x, stormtest.Lines-1-line) })
	with(s, wg, stormtest.OpenLetters, h.writer.Work)
	with(s, wg, stormtest.OpenLetters, h.reader.Work)
	with(s, wg, stormtest.OpenConns, h.caller.Work)
	with(s, wg, stormtest.OpenConns, h.desk.Work)
	talks := func(r *shm.Region) (*stormtest.Talks, error) { return stormtest.OpenTalks(r, 0, 0) }
	with(s, wg, talks, h.speaker.Work)
	for text := range 2 {
		with(s, wg, talks, func(k *stormtest.Talks) error { return k.Visit(text == 1) })
	}
}

// with has work done until the storm ends or the region is closed; with handles that are
// closed now and then, where one can.
func with[T any](s *storm, wg *sync.WaitGroup, open func(*shm.Region) (T, error), work func(T) error) {
	once := func() error {
		x, err := open(s.r)
		if err != nil {
			return err
		}
		if c, ok := any(x).(io.Closer); ok && rand.IntN(2) == 0 {
			time.AfterFunc(rand.N(100*time.Millisecond), func() { c.Close() })
		}
		return work(x)
	}
	wg.Go(func() {
		for {
			switch err := once(); {
			case err == nil || errors.Is(err, io.EOF):
				return
			case errors.Is(err, shm.ErrClosed) && !s.leaving.Load(): // a handle
			case s.over(err):
				return
			}
		}
	})
}

// any waits for one of several things, of which it takes none.
func (s *storm) any() error {
	soon, cancel := brief()
	defer cancel()
	q, err := stormtest.Open(s.r)
	if err != nil {
		return err
	}
	of := append(q.Waitables(), s.s, s.b, s.e)
	rand.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	if rand.IntN(4) == 0 {
		return doom(q, func() error { return anyOf(soon, of) })
	}
	return anyOf(soon, of)
}

func anyOf(ctx context.Context, of []shm.Waitable) error {
	_, err := shm.WaitAny(ctx, of...)
	return expired(err)
}
