package bench_test

import (
	"math"
	"sync/atomic"
	"testing"
)

// What two processors pass to each other goes from one's cache to the other's,
// and how far apart those are decides more than anything else what it costs. A
// virtual machine's processors wander: for some minutes they are neighbours,
// then not. So each round stands between two probes of that distance.

// The distance itself: a word goes there and back by plain loads and stores.
func BenchmarkLine(b *testing.B) {
	contest{what: "a cache line, there and back", kind: "line", of: []contestant{
		{two, "cache-line"}, {inC, "cache-line-in-C"},
	}}.run(b)
}

// farFrom is where far begins, in nanoseconds there and back: two neighbours
// take 100 to 200, two that are not 400 to 600.
const farFrom = 300

// newProbe returns what measures the line, in nanoseconds there and back: the
// best of a few short turns, for who is interrupted measures that.
func newProbe(b testing.TB, teams *teams) func() float64 {
	b.Helper()
	team, _ := teams.in(b, two)
	return func() float64 {
		best := math.Inf(1)
		for range 5 {
			o, err := team.do("line/cache-line", 200)
			if err != nil {
				b.Fatal(err)
			}
			best = min(best, o.perOp())
		}
		return best
	}
}

// lineOf is the line of a round between two probes; not a number if there were
// none, or they do not agree on near or far.
func lineOf(before, after float64) float64 {
	if before < farFrom != (after < farFrom) {
		return math.NaN()
	}
	return (before + after) / 2
}

// A distance is the rounds in which the processors were near, or far.
type distance struct {
	name   string
	rounds []int
}

// distances are those of a result of which there are rounds enough to tell
// something; of all rounds together, if of none.
func distances(line []float64) (ds []distance) {
	var near, far, all []int
	for i, ns := range line {
		all = append(all, i)
		switch {
		case ns < farFrom:
			near = append(near, i)
		case ns >= farFrom:
			far = append(far, i)
		}
	}
	for _, d := range []distance{{"near", near}, {"far", far}} {
		if 4*len(d.rounds) >= len(all) {
			ds = append(ds, d)
		}
	}
	if ds == nil {
		ds = []distance{{"", all}}
	}
	return ds
}

// known reports that the processors stood still.
func (d distance) known() bool { return d.name != "" }

// of is what xs are in the rounds.
func (d distance) of(xs []float64) (of []float64) {
	for _, i := range d.rounds {
		of = append(of, xs[i])
	}
	return of
}

func init() {
	jobs["line/cache-line"] = func(e *env) func(n int) int {
		line := e.counter("line")
		last := int64(0)
		return func(n int) (done int) {
			for range n {
				if e.side == 0 {
					atomic.StoreInt64(line, last+1)
					for atomic.LoadInt64(line) != last+2 {
					}
					done++
				} else {
					for atomic.LoadInt64(line) != last+1 {
					}
					atomic.StoreInt64(line, last+2)
				}
				last += 2
			}
			return done
		}
	}
}
