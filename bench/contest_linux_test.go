package bench_test

import (
	"flag"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A contest times contestants in turn. The first is ours.
type contest struct {
	what string // for the table
	kind string // of job: "free", "contended", "trip", "stream"
	of   []contestant
}

// A contestant does one job in one place.
type contestant struct {
	in   place
	name string
}

// An outcome is what came of one turn.
type outcome struct {
	ns    int64
	done  int     // operations
	share float64 // of the side that got less, where two compete
}

func (o outcome) perOp() float64 { return float64(o.ns) / float64(max(o.done, 1)) }

// A lane is a contestant in its contest: where it runs, how many operations a
// turn of it has, and what came of its turns.
type lane struct {
	contestant
	team  *team
	why   string // it is not there
	n     int
	ns    []float64 // an operation, in each round
	share []float64
	total int
}

func (l *lane) turn(b *testing.B, kind string, n int) outcome {
	b.Helper()
	o, err := l.team.do(kind+"/"+l.name, n)
	if err != nil {
		b.Fatal(err)
	}
	if o.done != n {
		b.Fatalf("%s/%s has done %d of %d", kind, l.name, o.done, n)
	}
	return o
}

// turnTime is how long a turn takes, about.
const turnTime = 30 * time.Millisecond

// fit finds how many operations make a turn.
func (l *lane) fit(b *testing.B, kind string) {
	for l.n = 1; ; {
		o := l.turn(b, kind, l.n)
		more := float64(turnTime) / float64(max(o.ns, 1))
		l.n = max(1, int(float64(l.n)*min(more, 50)))
		if more < 4 {
			return
		}
	}
}

// run holds the contest. Its lines are sub-benchmarks, which only report.
func (c contest) run(b *testing.B) {
	if len(processors) < 2 {
		b.Skip("two processors are needed")
	}
	teams := newTeams(b)
	var lanes, there []*lane
	for _, x := range c.of {
		l := &lane{contestant: x}
		l.team, l.why = teams.in(b, x.in)
		if lanes = append(lanes, l); l.why == "" {
			there = append(there, l)
		}
	}
	rounds, n := benchtime(b)
	for _, l := range there {
		if l.n = n; n == 0 {
			l.fit(b, c.kind)
		}
	}
	for i := range rounds {
		for k := range there {
			l := there[(i+k)%len(there)] // nobody always follows the same one
			o := l.turn(b, c.kind, l.n)
			l.ns, l.total = append(l.ns, o.perOp()), l.total+o.done
			l.share = append(l.share, o.share)
			if n == 0 { // the machine may have been another when the turn was fitted
				l.n = min(max(int(float64(turnTime)/o.perOp()), l.n/2, 1), 2*l.n)
			}
		}
	}
	for _, l := range lanes {
		b.Run("by="+l.label(), func(b *testing.B) { l.report(b, there) })
	}
	table[c.kind] = append(table[c.kind], c.row(there))
}

// benchtime is -benchtime: so many rounds, of n operations if that is not 0.
func benchtime(b *testing.B) (rounds, n int) {
	s := flag.Lookup("test.benchtime").Value.String()
	if x, ok := strings.CutSuffix(s, "x"); ok {
		n, err := strconv.Atoi(x)
		if err != nil {
			b.Fatal(err)
		}
		return 1, n
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		b.Fatal(err)
	}
	return max(5, int(d/turnTime)), 0
}

// mostN is where package testing ends its search for an N that takes long
// enough, which with a report it never finds.
const mostN = 1e9

func (l *lane) report(b *testing.B, there []*lane) {
	if l.why != "" {
		b.Skip(l.why)
	}
	if _, n := benchtime(b); n > 0 || b.N == mostN {
		//lint:ignore SA3001 what is reported was measured in the rounds before, so often
		b.N = l.total
	}
	b.ReportMetric(median(l.ns), "ns/op")
	b.ReportMetric(spread(l.ns), "%-spread")
	if s := median(l.share); s > 0 {
		b.ReportMetric(s, "smaller-share")
	}
	if l != there[0] {
		return
	}
	for _, peer := range there[1:] {
		b.ReportMetric(faster(l, peer), "x-"+peer.label())
	}
}

// label is the contestant's name, with the place where that is not obvious.
func (l *lane) label() string { return l.in.prefix() + l.name }

// faster is how many times as fast as peer l is.
func faster(l, peer *lane) float64 {
	var ratios []float64
	for i := range l.ns {
		ratios = append(ratios, peer.ns[i]/l.ns[i])
	}
	return median(ratios)
}

func median(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	return (xs[len(xs)/2] + xs[(len(xs)-1)/2]) / 2
}

// spread is the width of the middle half, in percent of the median.
func spread(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	return 100 * (xs[len(xs)*3/4] - xs[len(xs)/4]) / median(xs)
}
