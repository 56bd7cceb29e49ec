package bench_test

import (
	"math"
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
	if x := faster(ours, peer); x != 2 { // of 2, 4 and 1
		t.Errorf("faster = %v", x)
	}
	for ns, want := range map[float64]string{0.31: "0.3", 9.96: "10", 999.4: "999", 999.6: "1,000", 27_482: "27,500", 1_234_567: "1,230,000"} {
		if got := figure(ns); got != want {
			t.Errorf("figure(%v) = %s, want %s", ns, got, want)
		}
	}
	row := contest{what: "lock", kind: "contended"}.row([]*lane{ours, peer})
	if want := "| lock | 20 | Python `Lock` 40 (2×) |"; row != want {
		t.Errorf("row = %s, want %s", row, want)
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
