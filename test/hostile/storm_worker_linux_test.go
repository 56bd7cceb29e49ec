package hostile_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"example.com/tandem/internal/stormtest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

// A stormWorker works until the storm ends: region, its number as a producer,
// "kills" if there are some, the pause between Onces, "apart" if it is the first
// process of a pid namespace, "locks" if it is to use nothing else, its row. It says
// "in", its index and its epoch. When it is told to it closes the region under its own
// calls, opens it anew, and says "out" and the locks that it was inside of.
var stormWorker = testproc.Role("storm worker", func(args []string) {
	me, err := strconv.Atoi(args[1])
	testproc.Must(err)
	kills := args[2] == "kills"
	pause, err := time.ParseDuration(args[3])
	testproc.Must(err)
	if args[4] == "apart" {
		testproc.Must(testproc.MountProc())
	}
	orders := testproc.Orders()
	row, err := strconv.Atoi(args[5])
	testproc.Must(err)
	hands := newHands(me, kills)
	var left *storm // by Close, before this turn
	for {
		r, err := shm.Open(args[0], nil)
		testproc.Must(err)
		s, err := openStorm(r)
		testproc.Must(err)
		s.row = row
		if left != nil {
			s.fallen(row) // of what it was at, it says what it was inside of
			testproc.Say("out", left.leaves())
		}
		end, err := tsync.OpenEvent(r, "end")
		testproc.Must(err)
		self := r.Self()
		testproc.Say("in", self.Index, self.Epoch)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				h, own := s.re.NewHolder(), s.own.Holder()
				s.repeat(end, func() error { return s.one(h, own) })
			})
		}
		if args[4] != "locks" {
			s.more(&wg, end, pause, hands)
		}
		if !stormtest.Ordered(r, &wg, orders, func() { s.leaving.Store(true) }) {
			return
		}
		hands.reopened()
		left = s
	}
})

// more is what else a worker does than to lock.
func (s *storm) more(wg *sync.WaitGroup, end *tsync.Event, pause time.Duration, h *hands) {
	wg.Go(func() { s.repeat(end, s.doomed) })
	wg.Go(func() {
		s.repeat(end, func() error {
			time.Sleep(rand.N(4 * time.Millisecond))
			return s.fleeting()
		})
	})
	wg.Go(func() { s.over(s.onces(end.IsSet, pause)) })
	wg.Go(func() { s.repeat(end, s.any) })
	h.work(s, wg)
}

// stormProbe tries whether workers can be apart.
var stormProbe = testproc.Role("storm probe", func([]string) {
	if err := testproc.MountProc(); err != nil {
		testproc.Say("cannot mount /proc:", err)
	}
})

// over reports whether err is that of a region that is being closed, and ends
// the process if it is another.
func (s *storm) over(err error) bool {
	if s.leaving.Load() && (err == nil || errors.Is(err, shm.ErrClosed)) {
		return true
	}
	testproc.Must(err)
	return false
}

// repeat calls f until the storm ends or the region is closed.
func (s *storm) repeat(end *tsync.Event, f func() error) {
	for !end.IsSet() {
		if s.over(f()) {
			return
		}
	}
}
