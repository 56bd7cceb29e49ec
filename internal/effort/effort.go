// Package effort says how much the tests of this module try.
//
// The ordinary run, go test ./..., tries every property, with counts that take
// it minutes at most on two processors, and rests no verdict on how long
// something took: the machine may be busy. TANDEM_TESTS asks for more, one word
// or several with commas between:
//
//	long  large counts: every effect a death can follow, long storms
//	bars  what is promised of time, which wants a machine that is otherwise idle
package effort

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// asks reads the environment when a test asks, and not before, so that go test
// knows what the result depends on and does not show another effort's.
func asks(word string) bool {
	return slices.Contains(strings.Split(os.Getenv("TANDEM_TESTS"), ","), word)
}

// Long reports whether counts are to be large.
func Long() bool { return asks("long") }

// Bars reports whether times are to be held against what is promised.
func Bars() bool { return asks("bars") }

// Or returns much if counts are to be large, and else little.
func Or[T any](much, little T) T {
	if Long() {
		return much
	}
	return little
}

// Storm is how long a storm of kills lasts: TANDEM_STORM, say 8m, if it is
// set, else long or a second.
func Storm(t testing.TB, long time.Duration) time.Duration {
	t.Helper()
	s := os.Getenv("TANDEM_STORM")
	if s == "" {
		return Or(long, time.Second)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal("TANDEM_STORM: ", err)
	}
	return d
}

// Median logs the median and the worst of n times that f measures. With bars
// the median must be at most bar, in one of three attempts: the machine may be
// busy with something else, but not for ever.
func Median(t testing.TB, bar time.Duration, n int, f func() time.Duration) {
	t.Helper()
	if !Bars() {
		n = min(n, 5)
	}
	for try := 1; ; try++ {
		var took []time.Duration
		for range n {
			took = append(took, f())
		}
		slices.Sort(took)
		median := took[n/2]
		t.Logf("median of %d: %v, worst %v", n, median, took[n-1])
		switch {
		case !Bars() || median <= bar:
			return
		case try == 3:
			t.Errorf("it took %v (median of %d), want %v at most", median, n, bar)
			return
		}
	}
}
