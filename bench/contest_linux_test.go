package bench_test

import (
	"flag"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A contest times contestants in turn. The first is ours.
type contest struct {
	what  string // for the table
	kind  string // of job: "free", "contended", "trip", "stream", …
	of    []contestant
	bytes int // of a message, where bytes are what counts
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
	share float64 // of the side that got least, where they compete
	trips []trips // how long they took, if that was asked for
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
	trips [][]trips // of each round; nil: it is not asked
	total int
}

func (l *lane) turn(b testing.TB, job string, n int, how ...string) outcome {
	b.Helper()
	o, err := l.team.do(job, n, how...)
	if err != nil {
		b.Fatal(err)
	}
	if o.done != n {
		b.Fatalf("%s has done %d of %d", job, o.done, n)
	}
	return o
}

// turnTime is how long a turn takes, about.
func (c contest) turnTime() time.Duration {
	for _, x := range c.of {
		if x.in.processes > len(processors) { // each is to have several turns at a processor
			return 120 * time.Millisecond
		}
	}
	return 30 * time.Millisecond
}

// fit finds how many operations make a turn.
func (c contest) fit(b testing.TB, l *lane) {
	for l.n = 1; ; {
		o := l.turn(b, c.kind+"/"+l.name, l.n)
		more := float64(c.turnTime()) / float64(max(o.ns, 1))
		l.n = max(1, int(float64(l.n)*min(more, 50)))
		if more < 4 {
			return
		}
	}
}

// A result is what came of a contest.
type result struct {
	lanes []*lane // all
	there []*lane // those that took part
	line  []float64
}

// hold holds the contest: so many rounds, of n operations if that is not 0.
func (c contest) hold(b testing.TB, rounds, n int) (r result) {
	b.Helper()
	if len(processors) < 2 {
		b.Skip("two processors are needed")
	}
	teams := newTeams(b)
	for _, x := range c.of {
		l := &lane{contestant: x}
		l.team, l.why = teams.in(b, x.in)
		if r.lanes = append(r.lanes, l); l.why != "" {
			continue
		}
		r.there = append(r.there, l)
		if c.kind == "trip" && l.in.language != "Python" {
			l.trips = [][]trips{}
		}
		if l.n = n; n == 0 {
			c.fit(b, l)
		}
	}
	probe := math.NaN // of one process: it does not matter how far the other processor is
	if c.kind != "free" {
		probe = newProbe(b, teams)
	}
	before := probe()
	for i := range rounds {
		for k := range r.there {
			l := r.there[(i+k)%len(r.there)] // nobody always follows the same one
			o := l.turn(b, c.kind+"/"+l.name, l.n)
			l.ns, l.total = append(l.ns, o.perOp()), l.total+o.done
			l.share = append(l.share, o.share)
			if l.trips != nil { // apart, for to look at a clock costs something
				l.trips = append(l.trips, l.turn(b, c.kind+"/"+l.name, l.n, timed).trips)
			}
			if n == 0 { // the machine may have been another when the turn was fitted
				l.n = min(max(int(float64(c.turnTime())/o.perOp()), l.n/2, 1), 2*l.n)
			}
		}
		after := probe()
		r.line = append(r.line, lineOf(before, after))
		before = after
	}
	return r
}

// run holds the contest. Its lines are sub-benchmarks, which only report.
func (c contest) run(b *testing.B) {
	rounds, n := c.benchtime(b)
	r := c.hold(b, rounds, n)
	for _, l := range r.lanes {
		b.Run("by="+l.label(), func(b *testing.B) { c.report(b, l, r) })
	}
	table[c.kind] = append(table[c.kind], c.rows(r)...)
	latencies = append(latencies, c.latencies(r)...)
}

// benchtime is -benchtime: so many rounds, of n operations if that is not 0.
func (c contest) benchtime(b *testing.B) (rounds, n int) {
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
	return max(5, int(d/c.turnTime())), 0
}

// mostN is where package testing ends its search for an N that takes long
// enough, which with a report it never finds.
const mostN = 1e9

func (c contest) report(b *testing.B, l *lane, r result) {
	if l.why != "" {
		b.Skip(l.why)
	}
	if _, n := c.benchtime(b); n > 0 || b.N == mostN {
		//lint:ignore SA3001 what is reported was measured in the rounds before, so often
		b.N = l.total
	}
	b.ReportMetric(median(l.ns), "ns/op")
	b.ReportMetric(spread(l.ns), "%-spread")
	if s := median(l.share); s > 0 {
		b.ReportMetric(s, "smallest-share")
	}
	if c.bytes > 0 {
		b.ReportMetric(float64(c.bytes)/median(l.ns), "GB/s")
	}
	ds := distances(r.line)
	if l.trips != nil {
		h := histogram(l.trips, ds[0])
		for _, p := range percentiles {
			b.ReportMetric(p.of(h), p.name+"-ns")
		}
	}
	if l != r.there[0] {
		return
	}
	if c.kind != "free" && ds[0].known() {
		b.ReportMetric(median(ds[0].of(r.line)), "ns-line-"+ds[0].name)
	}
	for _, peer := range r.there[1:] {
		b.ReportMetric(median(ratios(l, peer)), "x-"+peer.label())
	}
}

// label is the contestant's name, with the place where that is not obvious.
func (l *lane) label() string { return l.in.prefix() + l.name }

// ratios is how many times as fast as peer l is, in each round.
func ratios(l, peer *lane) (xs []float64) {
	for i := range l.ns {
		xs = append(xs, peer.ns[i]/l.ns[i])
	}
	return xs
}
