package step

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// Every has a victim die at every point of op, as far as the package comment
// says. For each death it calls survivor, in a subtest of its own, which sets
// the scene in s.Dir, calls s.Die, and then checks that the survivors can go on
// and that nothing that was promised is lost. Calls that may block take a
// [Watchdog].
func Every(t *testing.T, op Op, survivor func(t *testing.T, s *Stage)) {
	t.Helper()
	mayTrace(t)
	p := &plan{t: t, op: op, survivor: survivor, dir: stageDir(t), start: time.Now()}
	p.limits, p.seed = settings(t)
	p.rng = rand.New(rand.NewPCG(p.seed, 0))
	p.run()
}

// A plan is the series of deaths of one operation.
type plan struct {
	t        *testing.T
	op       Op
	survivor func(*testing.T, *Stage)
	dir      string
	start    time.Time

	limits
	seed uint64
	rng  *rand.Rand

	way     way // what the first run did
	effects []effect
	deaths  int // survived
	failed  int
}

// limits say how many deaths there may be.
type limits struct {
	each   int // every instruction of an operation of so many
	most   int // else after so many effects
	spread int // and so many spread over all instructions
	rest   int // and so many of those that come up only in later runs
}

// A later run is stepped from the beginning to the end: so many of a long operation.
const (
	longWalk      = 10_000 // instructions
	mostLongWalks = 2
)

// mostFailed ends a series: what it has to say is said.
const mostFailed = 3

// An effectID names an effect: the n-th that an instruction has had since the
// operation's last system call that others can notice, which is the one number
// calls.
type effectID struct {
	calls  int
	pc     uint64
	asleep bool
	n      int
}

// An effect is one that the first run had, after n points.
type effect struct {
	id effectID
	n  int
}

// counter gives the effects of a run their names.
type counter map[effectID]int // n is 0 in the keys

func (c counter) id(pt point) effectID {
	id := effectID{calls: pt.calls, pc: pt.pc, asleep: pt.asleep}
	n := c[id]
	c[id]++
	id.n = n
	return id
}

func (p *plan) run() {
	if !p.first() {
		return
	}
	length := len(p.way)
	if length == 0 { // -run asks for some of the deaths: they must be tried to be found
		p.each, length = 200_000, 200_000
	}
	var how string
	if length <= p.each {
		how = fmt.Sprintf("each of %d instructions", length)
		over := 0 // runs in a row that were over before they came to k
		for k := 0; k < length && over < 3 && p.failed < mostFailed; k++ {
			if s := p.at(k); s != nil && s.ended {
				over++
			} else {
				over = 0
			}
		}
	} else {
		if length > longWalk {
			p.rest = min(p.rest, mostLongWalks)
		}
		chosen := p.choose()
		complete := p.afterEffects(chosen)
		how = fmt.Sprintf("%d of %d effects", len(chosen), len(p.effects))
		if p.rest > 0 {
			how = fmt.Sprintf("%d effects", p.deaths-1)
			if !complete && p.failed == 0 {
				how += " and more to be had"
			}
		}
		spread := min(p.spread, length)
		for i := 0; i < spread && p.failed < mostFailed; i++ {
			from, to := i*length/spread, (i+1)*length/spread
			p.at(from + p.rng.IntN(max(1, to-from)))
		}
		how += fmt.Sprintf(" of %d instructions, %d spread evenly; seed %d", length, spread, p.seed)
	}
	switch {
	case p.t.Failed():
		p.t.Logf("stepkill: with TANDEM_STEPKILL_SEED=%d the same deaths are tried", p.seed)
	case p.deaths > 1:
		p.report(how)
	}
}

// first has a victim come through, which dies after the operation, and notes
// what it did.
func (p *plan) first() (ok bool) {
	calls := 0
	p.effects = []effect{{}} // the start counts as one
	count := counter{}
	_, ok = p.trial("returned", nil, true, func(pt point) bool {
		if pt.n > 0 && len(p.way) < mostNoted {
			p.way = append(p.way, stride{pt.pc, calls, pt.asleep})
		}
		if calls = pt.calls; pt.effect {
			p.effects = append(p.effects, effect{count.id(pt), pt.n})
		}
		return false
	})
	return ok
}

// mostNoted bounds the memory that a way takes.
const mostNoted = 5_000_000

// choose returns the effects to kill after: all, or the first, the last and a
// random choice of the others.
func (p *plan) choose() []effect {
	all := p.effects
	if len(all) <= p.most {
		return all
	}
	last := len(all) - 1
	var chosen []effect
	for _, i := range p.rng.Perm(last - 1)[:max(0, p.most-2)] {
		chosen = append(chosen, all[i+1])
	}
	chosen = append(chosen, all[0], all[last])
	slices.SortFunc(chosen, func(a, b effect) int { return a.n - b.n })
	return chosen
}

// at kills after k instructions.
func (p *plan) at(k int) *Stage {
	s, _ := p.trial(fmt.Sprintf("instruction=%d", k), p.way.to(k), false, func(pt point) bool { return pt.n == k || pt.late })
	return s
}

// afterEffects kills after each effect in the list. If one does not come, it
// kills after the next that is new. With rest it goes on as long as new ones
// come up, within the limits: a victim that spins while others change the
// region has effects without end.
func (p *plan) afterEffects(list []effect) (complete bool) {
	done, rest := map[effectID]bool{}, p.rest
	for n := 0; n < p.most && p.failed < mostFailed; n++ {
		for len(list) > 0 && done[list[0].id] {
			list = list[1:]
		}
		var to *target
		var want effectID
		last := len(list) == 0
		if !last {
			to, want = p.toEffect(list[0]), list[0].id
			list = list[1:]
		} else if rest--; rest < 0 {
			return p.rest == 0
		}
		count := counter{}
		s, ok := p.trial(fmt.Sprintf("effect=%d", n), to, true, func(pt point) bool {
			if !pt.effect && pt.n != 0 {
				return false
			}
			id := count.id(pt)
			if done[id] || id != want && !pt.late && !last {
				return false
			}
			done[id] = true
			return true
		})
		switch {
		case s == nil:
			return false // -run leaves this death out
		case ok && s.ended && last:
			return true
		}
	}
	return false
}

// toEffect returns where the effect is, or nil: at the start.
func (p *plan) toEffect(e effect) *target {
	if e.n == 0 || e.n > len(p.way) {
		return nil
	}
	at := p.way[e.n-1]
	if e.n <= stepsFromStart && at.calls == 0 {
		return nil
	}
	return &target{n: e.n - 1, calls: at.calls, pc: at.pc}
}

// trial is one death. s is nil if it did not take place.
func (p *plan) trial(name string, to *target, watch bool, kill func(point) bool) (s *Stage, ok bool) {
	ok = p.t.Run(name, func(t *testing.T) {
		s = &Stage{Dir: p.dir, t: t, op: p.op, kill: kill, to: to, watch: watch}
		defer s.end()
		t.Cleanup(func() {
			if t.Failed() && s.died {
				t.Logf("the victim of %s died %v", p.op, s.death)
			}
		})
		guarded(s, func() { p.survivor(t, s) })
		if !s.died && !t.Failed() {
			t.Error("stepkill: the survivor never called Die")
		}
	})
	if s == nil || !s.died {
		return nil, ok // left out by -run
	}
	if ok {
		p.deaths++
	} else {
		p.failed++
	}
	return s, ok
}

// report says what was survived, for people and for scripts.
func (p *plan) report(how string) {
	line := fmt.Sprintf("stepkill: %s: %s: %d kills survived (%s; %.1f s)\n", p.t.Name(), p.op, p.deaths, how, time.Since(p.start).Seconds())
	p.t.Log(line[:len(line)-1])
	if name := os.Getenv("TANDEM_STEPKILL_REPORT"); name != "" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err == nil {
			_, err = f.WriteString(line)
			f.Close()
		}
		if err != nil {
			p.t.Errorf("stepkill: report: %v", err)
		}
	}
}
