package bench_test

import (
	"fmt"
	"slices"
	"strconv"
)

func median(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	return (xs[len(xs)/2] + xs[(len(xs)-1)/2]) / 2
}

// middle is between what the middle half lies.
func middle(xs []float64) (low, high float64) {
	xs = slices.Sorted(slices.Values(xs))
	return xs[len(xs)/4], xs[len(xs)*3/4]
}

// spread is the width of the middle half, in percent of the median.
func spread(xs []float64) float64 {
	low, high := middle(xs)
	return 100 * (high - low) / median(xs)
}

// figure is nanoseconds, in as many digits as mean something.
func figure(ns float64) string {
	switch {
	case ns < 9.95:
		return fmt.Sprintf("%.1f", ns)
	case ns < 999.5:
		return fmt.Sprintf("%.0f", ns)
	}
	three, _ := strconv.ParseFloat(fmt.Sprintf("%.3g", ns), 64)
	s := strconv.Itoa(int(three))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// times is a ratio, in two digits.
func times(x float64) string {
	if x < 9.95 {
		return fmt.Sprintf("%.2g×", x)
	}
	return fmt.Sprintf("%.0f×", x)
}

// within is a ratio and its middle half.
func within(xs []float64) string {
	low, high := middle(xs)
	from, to := times(low), times(high)
	if from == to {
		return times(median(xs))
	}
	return times(median(xs)) + ", " + from[:len(from)-len("×")] + " to " + to[:len(to)-len("×")]
}
