package step

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// Every has a victim die at every point of op, as far as the package comment
// says. For each death it calls survivor, in a subtest of its own, which sets
// the scene in s.Dir, calls s.Die, and then checks that whoever is left can go
// on and that nothing that was promised is lost. Calls that may block take a
// [Watchdog].
func Every(t *testing.T, op Op, survivor func(t *testing.T, s *Stage)) {
	t.Helper()
	mayTrace(t)
	p := &plan{t: t, op: op, survivor: survivor, dir: stageDir(t), start: time.Now()}
	p.limits, p.seed = settings(t)
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
	seed uint64 // of the deaths spread over long operations

	deaths int // survived
	failed int
}

// limits say how many deaths there may be.
type limits struct {
	each    int // every instruction of an operation of so many
	effects int // else so many effects
	spread  int // and so many spread over all instructions
}

// mostFailed ends a series: what it has to say is said.
const mostFailed = 3

// spreadSteps bounds what the deaths spread over a long operation cost.
const spreadSteps = 100_000

// An effectID names an effect: the n-th that an instruction has had since the
// operation's last system call that others can notice, which is the one number
// calls.
type effectID struct {
	calls  int
	pc     uint64
	asleep bool
	n      int
}

// An effect that the first run had, and after how many calls a run that is to
// end there must be stepped.
type effect struct {
	id    effectID
	ahead int
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
	// The first victim comes through, and dies after the operation.
	var length, awake int
	slept := false
	list := []effect{{}} // the start counts as one
	count := counter{}
	first, ok := p.trial("returned", 0, true, func(pt point) bool {
		length = pt.n
		slept = slept || pt.asleep
		if pt.effect {
			list = append(list, effect{count.id(pt), awake})
		}
		if !slept { // what follows a sleep cannot be reached without it
			awake = pt.calls
		}
		return false
	})
	if !ok {
		return
	}
	if first == nil { // -run asks for some of the deaths: they must be tried to be found
		p.each, length = 200_000, 200_000
	}
	how := fmt.Sprintf("each of %d instructions", length)
	if length <= p.each {
		over := 0 // runs in a row that were over before they came to k
		for k := 0; k < length && over < 3 && p.failed < mostFailed; k++ {
			if s := p.at(k); s != nil && s.ended {
				over++
			} else {
				over = 0
			}
		}
	} else {
		complete := p.afterEffects(list)
		how = fmt.Sprintf("%d effects of %d instructions", p.deaths-1, length)
		if !complete && p.failed == 0 {
			how += ", more than the limit"
		}
		if spare := min(p.spread, spreadSteps/length); spare > 0 {
			rng := rand.New(rand.NewPCG(p.seed, 0))
			for i := 0; i < spare && p.failed < mostFailed; i++ {
				from, to := i*length/spare, (i+1)*length/spare
				p.at(from + rng.IntN(max(1, to-from)))
			}
			how += fmt.Sprintf(", %d spread evenly with seed %d", spare, p.seed)
		}
	}
	if !p.t.Failed() && p.deaths > 1 {
		p.report(how)
	}
}

// at kills after k instructions.
func (p *plan) at(k int) *Stage {
	s, _ := p.trial(fmt.Sprintf("instruction=%d", k), 0, false, func(pt point) bool { return pt.n == k })
	return s
}

// afterEffects kills after each effect in the list, and then after any others
// that come up, within the limit.
func (p *plan) afterEffects(list []effect) (complete bool) {
	done := map[effectID]bool{}
	for n := 0; n < p.limits.effects && p.failed < mostFailed; n++ {
		for len(list) > 0 && done[list[0].id] {
			list = list[1:]
		}
		ahead, last := 0, len(list) == 0
		if !last {
			ahead = list[0].ahead
			list = list[1:]
		}
		count := counter{}
		s, ok := p.trial(fmt.Sprintf("effect=%d", n), ahead, true, func(pt point) bool {
			if !pt.effect && pt.n != 0 {
				return false
			}
			id := count.id(pt)
			if done[id] {
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

// trial is one death. s is nil if it did not take place.
func (p *plan) trial(name string, ahead int, watch bool, kill func(point) bool) (s *Stage, ok bool) {
	ok = p.t.Run(name, func(t *testing.T) {
		s = &Stage{Dir: p.dir, t: t, op: p.op, kill: kill, ahead: ahead, watch: watch}
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

// settings reads the environment.
func settings(t *testing.T) (l limits, seed uint64) {
	l = limits{each: 260, effects: 160, spread: 10}
	switch v := os.Getenv("TANDEM_STEPKILL"); {
	case v == "all":
		l.each = math.MaxInt
	case v != "":
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("TANDEM_STEPKILL=%q: want all or a number of deaths", v)
		}
		l = limits{each: n, effects: n - n/4, spread: n / 4}
	case testing.Short():
		l = limits{each: 40, effects: 30, spread: 4}
	}
	seed = rand.Uint64() % 1_000_000
	if v := os.Getenv("TANDEM_STEPKILL_SEED"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatalf("TANDEM_STEPKILL_SEED=%q: %v", v, err)
		}
		seed = n
	}
	return l, seed
}
