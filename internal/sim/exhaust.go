//go:build tandem_sim

package sim

import (
	"fmt"
	"testing"
	"time"
)

// A schedule takes the place of chance: the running thread runs on, and when
// it cannot, the eldest that can; but at some of these decisions something
// else is done.
type schedule struct {
	plan []deviation
	left int         // how many preemptions and kills may come after those
	n    int         // decisions so far
	seen []deviation // what could have been done instead
	over bool
}

// A deviation is what to do at one decision.
type deviation struct {
	at int
	o  option
}

// An option is to let a thread run, to make its oldest store visible, or to kill
// the process of the running one.
type option struct {
	thread int // its number
	show   bool
	kill   bool
	cost   int // 1, but 0 where some thread must be chosen
}

// Exhaust runs build's world under every schedule with up to n preemptions
// and, as far as o.MaxKills allows, kills of the running process. What else
// build's world does by chance is the same in all of them, as long as they are
// the same. Most errors need no more than two preemptions, and they are found
// for certain where Explore finds them by luck; but only in tiny worlds: the
// number of runs grows as the n-th power of that of the steps.
//
// A world in which stores may be late is run so twice: with all visible at once,
// and with each as late as can be; then that one becomes visible is one of the n.
func Exhaust(tb testing.TB, seed uint64, n int, o Options, build func(*World)) {
	tb.Helper()
	if err := TryExhaust(seed, n, o, build); err != nil {
		tb.Fatal(err)
	}
}

// TryExhaust is Exhaust for a test that expects a failure: it returns it.
func TryExhaust(seed uint64, n int, o Options, build func(*World)) error {
	start, runs, steps := time.Now(), 0, 0
	late, unfenced := 0, false
	run := func(plan []deviation, left int, tr *trace) (*World, error) {
		w := New(seed, o)
		w.sched, w.late = &schedule{plan: plan, left: left}, late
		for e := range w.due {
			w.due[e] = 1 << 62
		}
		w.trace = tr
		build(w)
		err := w.Run()
		runs++
		steps += w.steps
		unfenced = unfenced || w.unfenced > 0
		return w, err
	}
	var explore func(plan []deviation, n int) error
	explore = func(plan []deviation, n int) error {
		w, err := run(plan, n, nil)
		if err != nil {
			tr := &trace{}
			run(plan, n, tr)
			return fmt.Errorf("%w\nits schedule: %v, stores late: %v; its last steps:\n%v", err, plan, late != 0, tr)
		}
		for _, d := range w.sched.seen {
			if err := explore(append(plan[:len(plan):len(plan)], d), n-d.o.cost); err != nil {
				return err
			}
		}
		return nil
	}
	err := explore(nil, n)
	if err == nil && unfenced {
		late = 1
		err = explore(nil, n)
	}
	if testing.Verbose() {
		fmt.Printf("    seed %d: %d runs, %d steps a run on average, %.1f s\n", seed, runs, steps/runs, time.Since(start).Seconds())
	}
	return err
}

// Settled ends the choices of an Exhaust: what comes now is one run only.
func (w *World) Settled() {
	if w.sched != nil {
		w.sched.over = true
	}
}

// goesOn reports whether the running thread runs on, and notes what could have
// been done instead.
func (s *schedule) goesOn(w *World) bool {
	if len(s.plan) > 0 && s.plan[0].at == s.n || w.last == nil || w.last != w.cur {
		return false
	}
	s.note(w, w.last, 1)
	s.n++
	return true
}

func (s *schedule) note(w *World, now *Thread, cost int) {
	if s.over || len(s.plan) > 0 || cost > s.left {
		return
	}
	for _, t := range w.threads {
		if t != now && t.parked == nil && !t.p.stopped() {
			s.seen = append(s.seen, deviation{s.n, option{thread: t.number, cost: cost}})
		}
	}
	if s.left > 0 {
		for _, t := range w.holding {
			s.seen = append(s.seen, deviation{s.n, option{thread: t.number, show: true, cost: 1}})
		}
	}
	if w.kills < w.o.MaxKills && !now.p.Immortal && s.left > 0 && cost > 0 {
		s.seen = append(s.seen, deviation{s.n, option{kill: true, cost: 1}})
	}
}

// decide is choose under a schedule.
func (w *World) decide() *Thread {
	now, cost := w.last, 1
	if now == nil || now.over || now.parked != nil || now.p.stopped() {
		now, cost = nil, 0
		for _, t := range w.threads {
			if t.parked == nil && !t.p.stopped() && (now == nil || t.number < now.number) {
				now = t
			}
		}
	}
	if now == nil {
		return nil
	}
	s := w.sched
	if len(s.plan) == 0 || s.plan[0].at != s.n {
		s.note(w, now, cost)
		s.n++
		w.last = now
		return now
	}
	o := s.plan[0].o
	s.plan = s.plan[1:]
	s.n++
	if o.kill {
		w.last = nil
		now.p.Kill()
		w.startRecovery()
		return w.decide()
	}
	if o.show {
		for _, t := range w.holding {
			if t.number == o.thread {
				w.show(t)
				w.look()
				return w.decide()
			}
		}
	}
	for _, t := range w.threads {
		if t.number == o.thread {
			w.last = t
			return t
		}
	}
	panic("sim: the schedule does not fit its world")
}
