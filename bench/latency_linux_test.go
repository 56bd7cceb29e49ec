package bench_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// How long round trips take, each of them. Turns that tell are apart from those
// that count, as the clock is looked at after each trip.

// timed behind an order asks for a turn that tells.
const timed = "timed"

// trips is how many took how long.
type trips struct{ ns, count int64 }

// longest is what counts as the longest; nothing takes so long.
const longest = int64(time.Minute)

func newTrips() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest, 3) }

// histogram is of the trips of some rounds.
func histogram(of [][]trips, d distance) *hdrhistogram.Histogram {
	h := newTrips()
	for _, i := range d.rounds {
		for _, t := range of[i] {
			h.RecordValues(min(t.ns, longest), t.count)
		}
	}
	return h
}

// A stopwatch times the trips of one side. Nil times none.
type stopwatch struct {
	start time.Time
	last  time.Duration // after start
	trips *hdrhistogram.Histogram
}

// trip is called after each round trip, by the side that began it.
func (e *env) trip() {
	if e.watch != nil {
		e.watch.lap()
	}
}

func (w *stopwatch) lap() {
	now := time.Since(w.start)
	w.trips.RecordValue(min(int64(now-w.last), longest))
	w.last = now
}

// String is how an answer tells of them: " NANOSECONDS:TIMES", over and over.
func (w *stopwatch) String() string {
	if w == nil {
		return ""
	}
	var s strings.Builder
	for _, bar := range w.trips.Distribution() {
		if bar.Count > 0 {
			fmt.Fprintf(&s, " %d:%d", bar.To, bar.Count)
		}
	}
	return s.String()
}

func parseTrips(fields []string) (all []trips, err error) {
	for _, f := range fields {
		ns, count, _ := strings.Cut(f, ":")
		var t trips
		if t.ns, err = strconv.ParseInt(ns, 10, 64); err != nil {
			return nil, err
		}
		if t.count, err = strconv.ParseInt(count, 10, 64); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// A percentile is what so many of a hundred trips took at most.
type percentile struct {
	name string
	of   func(*hdrhistogram.Histogram) float64
}

var percentiles = []percentile{
	{"p50", func(h *hdrhistogram.Histogram) float64 { return float64(h.ValueAtPercentile(50)) }},
	{"p99", func(h *hdrhistogram.Histogram) float64 { return float64(h.ValueAtPercentile(99)) }},
	{"p99.9", func(h *hdrhistogram.Histogram) float64 { return float64(h.ValueAtPercentile(99.9)) }},
	{"max", func(h *hdrhistogram.Histogram) float64 { return float64(h.Max()) }},
}

// latencies are the rows of their table.
var latencies []string

func (c contest) latencies(r result) (rows []string) {
	for _, d := range distances(r.line) {
		for _, l := range r.there {
			if l.trips == nil {
				continue
			}
			by := l.plainName()
			if !l.in.pinned {
				by += ", unpinned"
			}
			row := fmt.Sprintf("| %s |%s %s |", c.what, d.column(r), by)
			h := histogram(l.trips, d)
			for _, p := range percentiles {
				row += " " + figure(p.of(h)) + " |"
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// What is told of known trips comes back as it was, and their percentiles are
// what they must be.
func TestTrips(t *testing.T) {
	w := &stopwatch{trips: newTrips()}
	for i := range int64(1000) {
		w.trips.RecordValue(i + 1)
	}
	fields := strings.Fields(w.String())
	all, err := parseTrips(fields)
	if err != nil {
		t.Fatal(err)
	}
	h := histogram([][]trips{all, {{7, 1_000_000}}, {{2 * longest, 1}}}, distance{"near", []int{0, 2}})
	if n := h.TotalCount(); n != 1001 {
		t.Errorf("%d trips, want 1001", n)
	}
	for i, want := range []float64{501, 991, 1000, float64(longest)} {
		if got := percentiles[i].of(h); got < want || got > 1.001*want {
			t.Errorf("%s = %v, want %v", percentiles[i].name, got, want)
		}
	}
	for _, bad := range []string{"12", "x:1", "1:x"} {
		if _, err := parseTrips([]string{bad}); err == nil {
			t.Errorf("%q is no trip", bad)
		}
	}
}
