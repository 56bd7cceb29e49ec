// Package long tells tests how much of everything to try.
package long

import "os"

// Tests reports whether TANDEM_TESTS=long is in the environment: large counts,
// and the bars that are a matter of time and so want a quiet machine. Without
// it every property is tried too, with smaller counts.
func Tests() bool { return os.Getenv("TANDEM_TESTS") == "long" }

// Or returns much where the tests are long, and else little.
func Or[T any](much, little T) T {
	if Tests() {
		return much
	}
	return little
}
