package step

import (
	"fmt"
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
	p.all, p.budget, p.seed = settings(t)
	p.run()
}

// A plan is the series of deaths of one operation.
type plan struct {
	t        *testing.T
	op       Op
	survivor func(*testing.T, *Stage)
	dir      string
	start    time.Time

	all    bool   // every instruction, whatever it costs
	budget int    // else at most so many deaths
	seed   uint64 // of the deaths spread over long operations

	deaths int // survived
	failed int
}

// mostFailed ends a series: what it has to say is said.
const mostFailed = 3

// spreadSteps bounds what the deaths spread over a long operation cost.
const spreadSteps = 400_000

// An effectID is the n-th effect of one instruction.
type effectID struct {
	pc     uint64
	asleep bool
	n      int
}

func (p *plan) run() {
	// The first victim comes through, and dies after the operation.
	var length int
	effects := map[effectID]bool{}
	first, ok := p.trial("returned", true, func(pt point) bool {
		length = pt.n
		if pt.effect {
			n := 0
			for effects[effectID{pt.pc, pt.asleep, n}] {
				n++
			}
			effects[effectID{pt.pc, pt.asleep, n}] = true
		}
		return false
	})
	if !ok {
		return
	}
	if first == nil { // -run asks for some of the deaths: they must be tried to be found
		p.all, length = true, 200_000
	}
	how := fmt.Sprintf("each of %d instructions", length)
	if p.all || length <= p.budget {
		for k := 0; k < length && p.failed < mostFailed; k++ {
			p.at(k)
		}
	} else {
		killed, complete := p.effects(p.budget - p.budget/4)
		how = fmt.Sprintf("%d effects of %d instructions", killed, length)
		if !complete && p.failed == 0 {
			how += " (the first run had " + strconv.Itoa(len(effects)) + ", more came up than the budget allows)"
		}
		if spare := min(p.budget-p.deaths, spreadSteps/length); spare > 0 {
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
func (p *plan) at(k int) {
	p.trial(fmt.Sprintf("instruction=%d", k), false, func(pt point) bool { return pt.n == k })
}

// effects kills after each effect, at most budget of them.
func (p *plan) effects(budget int) (killed int, complete bool) {
	done := map[effectID]bool{}
	for ; killed < budget && p.failed < mostFailed; killed++ {
		had := map[effectID]int{} // n is 0 in the keys
		s, ok := p.trial(fmt.Sprintf("effect=%d", killed), true, func(pt point) bool {
			if !pt.effect && pt.n != 0 {
				return false
			}
			id := effectID{pc: pt.pc, asleep: pt.asleep}
			n := had[id]
			had[id]++
			id.n = n
			if done[id] {
				return false
			}
			done[id] = true
			return true
		})
		switch {
		case s == nil:
			return killed, false // -run leaves this death out
		case ok && s.ended:
			return killed, true
		}
	}
	return killed, false
}

// trial is one death. s is nil if it did not take place.
func (p *plan) trial(name string, watch bool, kill func(point) bool) (s *Stage, ok bool) {
	ok = p.t.Run(name, func(t *testing.T) {
		s = &Stage{Dir: p.dir, t: t, op: p.op, kill: kill, watch: watch}
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
	line := fmt.Sprintf("stepkill: %s: %d kills survived (%s; %.1f s)\n", p.op, p.deaths, how, time.Since(p.start).Seconds())
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
func settings(t *testing.T) (all bool, budget int, seed uint64) {
	budget = 240
	switch v := os.Getenv("TANDEM_STEPKILL"); {
	case v == "all":
		all = true
	case v != "":
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("TANDEM_STEPKILL=%q: want all or a number of deaths", v)
		}
		budget = n
	case raceEnabled:
		budget = 12 // the detector has nothing to see in a victim, and makes its path ten times as long
	case testing.Short():
		budget = 40
	}
	seed = rand.Uint64() % 1_000_000
	if v := os.Getenv("TANDEM_STEPKILL_SEED"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatalf("TANDEM_STEPKILL_SEED=%q: %v", v, err)
		}
		seed = n
	}
	return all, budget, seed
}
