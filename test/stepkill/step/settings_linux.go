package step

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"example.com/tandem/internal/effort"
)

// settings reads the environment: see the package comment.
func settings(t *testing.T) (l limits, seed uint64) {
	t.Helper()
	switch v := os.Getenv("TANDEM_STEPKILL"); {
	case everyInstruction():
		l = limits{each: math.MaxInt}
	case v == "effects" || v == "" && effort.Long():
		l = limits{each: 160, most: 160, spread: 1, rest: 14}
	case v != "":
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("TANDEM_STEPKILL=%q: want all, effects or a number of deaths", v)
		}
		l = limits{each: n, most: n - n/4, spread: n / 4, rest: n}
	default:
		l = limits{each: 8, most: 3, spread: 1}
	}
	seed, err := processSeed()
	if err != nil {
		t.Fatal(err)
	}
	return l, seed
}

func everyInstruction() bool { return os.Getenv("TANDEM_STEPKILL") == "all" }

// Pick is for what it is enough to step in one of n ways in an ordinary run: it returns
// which one, the same for each call with a name and, as all that is chosen, for a seed
// that the log has named. all reports that each is to be tried.
func Pick(t *testing.T, name string, n int) (i int, all bool) {
	t.Helper()
	_, seed := settings(t)
	if os.Getenv("TANDEM_STEPKILL") != "" || effort.Long() {
		return 0, true
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64())).IntN(n), false
}

// Some returns what an ordinary run tries of several ways: a third of them, picked for
// the test. Where each is to be tried it returns all.
func Some[T any](t *testing.T, ways ...T) []T {
	t.Helper()
	if len(ways) < 2 {
		return ways
	}
	i, all := Pick(t, t.Name(), len(ways))
	if all {
		return ways
	}
	return slices.Concat(ways[i:], ways[:i])[:(len(ways)+2)/3]
}

// processSeed is one for all the operations of a run, which its number then
// repeats.
var processSeed = sync.OnceValues(func() (uint64, error) {
	v := os.Getenv("TANDEM_STEPKILL_SEED")
	if v == "" {
		return rand.Uint64N(1_000_000), nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("TANDEM_STEPKILL_SEED=%q: %w", v, err)
	}
	return n, nil
})
