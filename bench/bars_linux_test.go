package bench_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/tandem/internal/effort"
)

// A bar is how fast a contest's first is promised to be.
type bar struct {
	contest contest
	against string  // one of the others; "": nobody
	least   float64 // times as fast as that one
	most    float64 // or so many nanoseconds
}

var bars = []bar{
	{contest: queueStream, against: "mpmc-ring-64", least: 1},
	{contest: wordStream, against: "mpmc-ring-8", least: 1},
	{contest: manyToMany(1), against: "locked-ring", least: 1.5},
	{contest: manyToMany(2), against: "locked-ring", least: 1.5},
	{contest: manyToMany(4), against: "locked-ring", least: 1.5},
	{contest: manyToMany(8), against: "locked-ring", least: 1.5},
	{contest: manyGoroutines, against: "channel", least: 1.5},
	{contest: wordBatch, against: "Queue-8-by-1", least: 2},
	{contest: wordBatch, against: "mpmc-ring-8", least: 2},
	{contest: wordTrip, against: "mpmc-ring-8", least: 1 / 1.5},
	{contest: wordTripSpin, against: "mpmc-ring-8", least: 1 / 1.5},
	{contest: wordFree, against: "channel-8", least: 54. / 30},
	{contest: longView, against: "View-in-its-slot", least: 1 / 1.1},
	{contest: mutexFree, against: "pthread-robust", least: 1 / 0.9},
	{contest: mutexContended, against: "pthread-robust", least: 1.5},
	{contest: rmutexFree, against: "pthread-robust", least: 1 / 1.3},
	{contest: rmutexAgain, against: "pthread-robust", least: 1 / 0.7},
	{contest: semaphoreFree, against: "sem_t", least: 1 / 1.2},
	{contest: condNobody, against: "pthread-cond", least: 1 / 1.3},
	{contest: rwmutexWrite, against: "pthread-rwlock-write", least: 1 / 1.2},
	{contest: onceDone, most: 2},
}

// What is promised of the figures. Without bars, that the contests can be held.
func TestBars(t *testing.T) {
	for _, x := range slices.Concat(largeBars(), spscBars(), pipeBars(), streamBars(), dialBars(), bars) {
		c, name := x.contest, x.contest.what
		if x.against != "" {
			name += " against " + x.against
		}
		c.of = c.of[:1:1]
		for _, peer := range x.contest.of[1:] {
			if peer.name == x.against && len(c.of) == 1 { // where there are two, the first
				c.of = append(c.of, peer)
			}
		}
		t.Run(name, func(t *testing.T) {
			if x.against != "" && len(c.of) < 2 {
				t.Fatal("nobody is named that")
			}
			x.try(t, c)
		})
	}
}

// try tries a bar up to three times: the machine may be busy, but not for ever.
func (x bar) try(t *testing.T, c contest) {
	rounds, n, tries := 1, 100, 1
	if effort.Bars() {
		rounds, n, tries = 25, 0, 3
	}
	for try := 1; ; try++ {
		var all []verdict
		held := t.Run(strconv.Itoa(try), func(t *testing.T) { // whose processes end with it
			r := c.hold(t, rounds, n)
			if len(r.there) < len(c.of) {
				t.Skip(r.lanes[1].why)
			}
			all = x.verdicts(r)
			for _, v := range all {
				t.Log(v.row(c.what))
			}
		})
		missed := slices.ContainsFunc(all, func(v verdict) bool { return v.missed })
		if held && effort.Bars() && missed && try < tries {
			continue
		}
		if effort.Bars() {
			for _, v := range all {
				barRows = append(barRows, v.row(c.what))
			}
			if missed {
				t.Errorf("%v", all)
			}
		}
		return
	}
}

var barRows []string // of the table

// A verdict is what came of a bar while the processors were near, or far: it
// holds for both alike.
type verdict struct {
	line, is, want string
	missed         bool
}

func (v verdict) String() string {
	return strings.TrimPrefix(v.line+": ", ": ") + "it is " + v.is + ", want " + v.want
}

func (v verdict) row(what string) string {
	held := "held"
	if v.missed {
		held = "**missed**"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |", what, v.line, v.is, v.want, held)
}

func (x bar) verdicts(r result) (all []verdict) {
	for _, d := range distances(r.line) {
		v := verdict{line: d.name}
		if ours := d.of(r.there[0].ns); x.against == "" {
			ns := median(ours)
			v.is, v.want, v.missed = figure(ns)+" ns", figure(x.most)+" ns at most", ns > x.most
		} else {
			xs := d.of(ratios(r.there[0], r.there[1]))
			v.is, v.want, v.missed = within(xs), times(x.least)+" of "+r.there[1].plainName(), median(xs) < x.least
		}
		all = append(all, v)
	}
	return all
}

// What is missed is told of, near and far.
func TestVerdicts(t *testing.T) {
	r := result{
		there: []*lane{{contestant: contestant{two, "ours"}, ns: []float64{10, 10}}, {contestant: contestant{two, "the-ring-8"}, ns: []float64{20, 10}}},
		line:  []float64{100, 500},
	}
	for _, tt := range []struct {
		bar  bar
		want []verdict
	}{
		{bar{against: "x", least: 1}, []verdict{{"near", "2×", "1× of the ring", false}, {"far", "1×", "1× of the ring", false}}},
		{bar{against: "x", least: 1.5}, []verdict{{"near", "2×", "1.5× of the ring", false}, {"far", "1×", "1.5× of the ring", true}}},
		{bar{most: 10}, []verdict{{"near", "10 ns", "10 ns at most", false}, {"far", "10 ns", "10 ns at most", false}}},
		{bar{most: 9}, []verdict{{"near", "10 ns", "9.0 ns at most", true}, {"far", "10 ns", "9.0 ns at most", true}}},
	} {
		if got := tt.bar.verdicts(r); !slices.Equal(got, tt.want) {
			t.Errorf("%+v, want %+v", got, tt.want)
		}
	}
	v := verdict{"near", "2×", "3× of the ring", true}
	if got, want := v.row("lock"), "| lock | near | 2× | 3× of the ring | **missed** |"; got != want {
		t.Errorf("row = %s, want %s", got, want)
	}
	if got, want := fmt.Sprint([]verdict{v, {is: "3 ns", want: "2 ns at most"}}), "[near: it is 2×, want 3× of the ring it is 3 ns, want 2 ns at most]"; got != want {
		t.Errorf("missed: %s, want %s", got, want)
	}
}
