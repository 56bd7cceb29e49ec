package bench_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// What is reported of figures that are known.
func TestReport(t *testing.T) {
	ours := &lane{contestant: contestant{two, "Mutex"}, ns: []float64{20, 10, 40}}
	peer := &lane{contestant: contestant{inPython, "Lock"}, ns: []float64{40, 40, 40}}
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("median = %v", m)
	}
	if s := spread([]float64{1, 2, 3, 4, 5, 6, 7, 8}); math.Abs(s-400/4.5) > 1e-9 {
		t.Errorf("spread = %v", s)
	}
	if x := median(ratios(ours, peer)); x != 2 { // of 2, 4 and 1
		t.Errorf("the median of ratios is %v", x)
	}
	for ns, want := range map[float64]string{0.31: "0.3", 9.96: "10", 999.4: "999", 999.6: "1,000", 27_482: "27,500", 1_234_567: "1,230,000"} {
		if got := figure(ns); got != want {
			t.Errorf("figure(%v) = %s, want %s", ns, got, want)
		}
	}
	r := result{there: []*lane{ours, peer}, line: []float64{120, 140, 130}}
	rows := contest{what: "lock", kind: "contended"}.rows(r)
	if want := []string{"| lock | near, 130 | 20 | 150 % | Python `Lock` 40 (2×, 1 to 4) |"}; !slices.Equal(rows, want) {
		t.Errorf("rows = %q, want %q", rows, want)
	}
}

// A round is near or far, or of neither, and each that there is enough of has a
// row of its own.
func TestDistances(t *testing.T) {
	for _, x := range []struct{ before, after, want float64 }{{100, 140, 120}, {400, 600, 500}} {
		if got := lineOf(x.before, x.after); got != x.want {
			t.Errorf("between %v and %v: %v", x.before, x.after, got)
		}
	}
	apart := lineOf(100, 600)
	if !math.IsNaN(apart) || !math.IsNaN(lineOf(600, 100)) {
		t.Errorf("a round in which the processors moved is %v", apart)
	}
	for _, tt := range []struct {
		line []float64
		want string
	}{
		{[]float64{100, 500, 100, apart, 500}, "[{near [0 2]} {far [1 4]}]"},
		{[]float64{500, 500, 100, 500, 500}, "[{far [0 1 3 4]}]"},
		{[]float64{apart, apart}, "[{ [0 1]}]"},
	} {
		if got := fmt.Sprint(distances(tt.line)); got != tt.want {
			t.Errorf("distances of %v are %v, want %v", tt.line, got, tt.want)
		}
	}
	x := []float64{1, 2, 3, 4, 5}
	if got := (distance{"far", []int{1, 4}}).of(x); !slices.Equal(got, []float64{2, 5}) {
		t.Errorf("of rounds 1 and 4: %v", got)
	}
}

// Every job is of a kind that has a table.
func TestJobs(t *testing.T) {
	for name := range jobs {
		kind, _, ok := strings.Cut(name, "/")
		known := false
		for _, x := range titles {
			known = known || x.kind == kind
		}
		if !ok || !known {
			t.Errorf("job %s is of no kind that the table has", name)
		}
	}
}
