package bench_test

import (
	"fmt"
	"slices"
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
	{contest: wordBatch, against: "Queue-8", least: 2},
	{contest: wordBatch, against: "mpmc-ring-8", least: 2},
	{contest: wordTrip, against: "mpmc-ring-8", least: 1 / 1.5},
	{contest: wordTripSpin, against: "mpmc-ring-8", least: 1 / 1.5},
	{contest: wordFree, against: "channel-8", least: 54. / 30},
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
	for _, x := range bars {
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
	rounds, n := 1, 100
	if effort.Bars() {
		rounds, n = 25, 0
	}
	for try := 1; ; try++ {
		r := c.hold(t, rounds, n)
		if len(r.there) < len(c.of) {
			t.Skip(r.lanes[1].why)
		}
		for _, row := range c.rows(r) {
			t.Log(row)
		}
		missed := x.missed(r)
		if !effort.Bars() || missed == nil {
			return
		}
		if try == 3 {
			t.Error(strings.Join(missed, "; "))
			return
		}
	}
}

// missed says where the bar was missed. It holds near and far alike.
func (x bar) missed(r result) (where []string) {
	for _, d := range distances(r.line) {
		ns := median(d.of(r.there[0].ns))
		if x.against == "" {
			if ns > x.most {
				where = append(where, fmt.Sprintf("%s: it takes %s ns, want %s at most", d.name, figure(ns), figure(x.most)))
			}
			continue
		}
		if ratio := median(d.of(ratios(r.there[0], r.there[1]))); ratio < x.least {
			where = append(where, fmt.Sprintf("%s: it is %s as fast as %s, want %s at least", d.name, times(ratio), r.there[1].name, times(x.least)))
		}
	}
	return where
}

// What is missed is told of, near and far.
func TestMissed(t *testing.T) {
	r := result{
		there: []*lane{{contestant: contestant{two, "ours"}, ns: []float64{10, 10}}, {contestant: contestant{two, "theirs"}, ns: []float64{20, 10}}},
		line:  []float64{100, 500},
	}
	for _, tt := range []struct {
		bar  bar
		want []string
	}{
		{bar{against: "theirs", least: 1}, nil},
		{bar{against: "theirs", least: 1.5}, []string{"far: it is 1× as fast as theirs, want 1.5× at least"}},
		{bar{against: "theirs", least: 3}, []string{"near: it is 2× as fast as theirs, want 3× at least", "far: it is 1× as fast as theirs, want 3× at least"}},
		{bar{most: 10}, nil},
		{bar{most: 9}, []string{"near: it takes 10 ns, want 9.0 at most", "far: it takes 10 ns, want 9.0 at most"}},
	} {
		if got := tt.bar.missed(r); !slices.Equal(got, tt.want) {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
