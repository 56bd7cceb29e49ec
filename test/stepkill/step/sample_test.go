//go:build linux

package step_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/test/stepkill/step"
)

// The ordinary run tries a sample: the first and the last effect always, and
// with the same seed the same others.
func TestSample(t *testing.T) {
	if step.RaceEnabled {
		t.Skip("the test that it runs is skipped")
	}
	sample := func(seed string) []string {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestSampled$", "-test.v")
		cmd.Env = append(os.Environ(), "STEPKILL_MUST_FAIL=1", "TANDEM_TESTS=", "TANDEM_STEPKILL=", "TANDEM_STEPKILL_SEED="+seed)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "seed "+seed+";") {
			t.Fatalf("with seed %s: %v\n%s", seed, err, out)
		}
		died := regexp.MustCompile(`died .*`).FindAllString(string(out), -1)
		for _, always := range []string{"died with 0 words", fmt.Sprintf("died with %d words", stores)} {
			if !slices.Contains(died, always) {
				t.Errorf("with seed %s nobody %s:\n%s", seed, always, out)
			}
		}
		return died
	}
	a, again, b := sample("1"), sample("1"), sample("2")
	if !slices.Equal(a, again) {
		t.Errorf("one seed is %q and %q", a, again)
	}
	if slices.Equal(a, b) {
		t.Errorf("two seeds are both %q", a)
	}
}

func TestSampled(t *testing.T) {
	if os.Getenv("STEPKILL_MUST_FAIL") == "" {
		return // part of TestSample
	}
	step.Every(t, longStores, func(t *testing.T, s *step.Stage) {
		w := mustWords(t, s.Dir)
		d := s.Die(nil)
		n := 0
		for n < stores && w[n].Load() != 0 {
			n++
		}
		if strings.Contains(t.Name(), "effect=") && !d.Returned {
			fmt.Printf("died with %d words\n", n)
		}
	})
}

// twice stores to word 0 what is there already but for two times, and each time
// to another word.
var twice = step.Register("twice", func(dir string) (func() error, error) {
	w, err := words(dir)
	return func() error {
		for i := range 6 {
			toil()
			w[0].Store(uint32(i/3 + 1))
			w[i+1].Store(1)
		}
		return nil
	}, err
})

// An instruction's effects are counted, and not the times that it is executed,
// nor what others did since.
func TestNoEffectOnTheWay(t *testing.T) {
	t.Setenv("TANDEM_STEPKILL", "20")
	seen := map[[2]uint32]bool{}
	step.Every(t, twice, func(t *testing.T, s *step.Stage) {
		w := mustWords(t, s.Dir)
		s.Die(nil)
		n := uint32(0)
		for n < 6 && w[n+1].Load() == 1 {
			n++
		}
		seen[[2]uint32{w[0].Load(), n}] = true
	})
	for _, want := range [][2]uint32{{0, 0}, {1, 0}, {1, 1}, {1, 2}, {1, 3}, {2, 3}, {2, 4}, {2, 5}, {2, 6}} {
		if !seen[want] {
			t.Errorf("nobody died with %d in word 0 and %d others written: %v", want[0], want[1], seen)
		}
	}
}

// bides lets time pass between two words.
var bides = step.Register("bides", func(dir string) (func() error, error) {
	w, err := words(dir)
	return func() error {
		w[0].Store(1)
		mem.Bide(500)
		w[1].Store(1)
		return nil
	}, err
})

// What only lets time pass is one point, and what comes before it and behind has its own.
func TestBides(t *testing.T) {
	seen := map[[2]uint32]int{}
	step.Every(t, bides, func(t *testing.T, s *step.Stage) {
		w := mustWords(t, s.Dir)
		d := s.Die(nil)
		seen[[2]uint32{w[0].Load(), w[1].Load()}]++
		if d.Instructions > 100_000 { // it would be more than a million
			t.Errorf("died %v", d)
		}
	})
	for _, want := range [][2]uint32{{0, 0}, {1, 0}, {1, 1}} {
		if seen[want] == 0 {
			t.Errorf("nobody died with the words %v: %v", want, seen)
		}
	}
}

// clock reads it, between two stores.
var clock = step.Register("clock", func(dir string) (func() error, error) {
	w, err := words(dir)
	return func() error {
		w[0].Store(1)
		if time.Since(begun) < 0 {
			return errors.New("the clock goes backwards")
		}
		w[1].Store(1)
		return nil
	}, err
})

var begun = time.Now()

// A victim reads the clock by a system call, which is one step. The vDSO's way, which
// begins anew where the time has moved on meanwhile, has no end where a step takes long.
func TestReadsClockByCall(t *testing.T) {
	t.Setenv("TANDEM_STEPKILL", "all")
	deaths := 0
	step.Every(t, clock, func(t *testing.T, s *step.Stage) {
		mustWords(t, s.Dir)
		if d := s.Die(nil); strings.HasPrefix(d.Where, "pc ") {
			t.Errorf("died %v, which is no code of this program", d)
		}
		deaths++
	})
	if deaths < 20 {
		t.Errorf("%d deaths, where the clock is read by that many instructions", deaths)
	}
}

// reads looks at word 0 again and again, counts that in memory of its own, and then
// writes to word 1.
var reads = step.Register("reads", func(dir string) (func() error, error) {
	w, err := words(dir)
	looks := make([]uint64, 8)
	return func() error {
		for i := range 500 {
			if looks[i%len(looks)]++; w[0].Load() == 1 {
				return errors.New("word 0 is what nobody writes there")
			}
		}
		w[1].Store(1)
		return nil
	}, err
})

// What others change is no effect of one who reads it, and writes what is its own.
func TestOthersEffects(t *testing.T) {
	if !step.KnowsWrites {
		t.Skip("here a load is not known from a store")
	}
	t.Setenv("TANDEM_STEPKILL", "16")
	effects := map[uint32]int{}
	step.Every(t, reads, func(t *testing.T, s *step.Stage) {
		w := mustWords(t, s.Dir)
		stop, stopped := make(chan struct{}), make(chan struct{})
		s.OnReady(func() {
			go func() {
				defer close(stopped)
				for n := uint32(2); ; n += 2 {
					select {
					case <-stop:
						return
					default:
						w[0].Store(n)
					}
				}
			}()
		})
		d := s.Die(nil)
		close(stop)
		<-stopped
		if strings.Contains(t.Name(), "effect=") && !d.Returned {
			effects[w[1].Load()]++
		}
	})
	// Before the first instruction, and what the runtime may do on the way.
	if effects[0] > 6 || effects[1] == 0 {
		t.Errorf("deaths before and after the one effect: %d and %d", effects[0], effects[1])
	}
}

// What is picked is the same for a name, and each of the ways for some name; where all
// is asked for nothing is picked.
func TestPick(t *testing.T) {
	t.Setenv("TANDEM_TESTS", "")
	t.Setenv("TANDEM_STEPKILL", "")
	picked := map[int]bool{}
	for k := range 100 {
		i, all := step.Pick(t, fmt.Sprint(k), 3)
		if again, _ := step.Pick(t, fmt.Sprint(k), 3); all || again != i {
			t.Errorf("%d: picked %d and then %d; all: %v", k, i, again, all)
		}
		picked[i] = true
	}
	for i := range 3 {
		if !picked[i] || len(picked) > 3 {
			t.Errorf("of 100 names none has %d: %v", i, picked)
		}
	}
	for n, want := range []int{0, 1, 1, 1, 2, 2, 2, 3} {
		ways := step.Some(t, []int{1, 2, 3, 4, 5, 6, 7}[:n]...)
		if again := step.Some(t, []int{1, 2, 3, 4, 5, 6, 7}[:n]...); len(ways) != want || !slices.Equal(again, ways) {
			t.Errorf("some of %d are %v and then %v", n, ways, again)
		}
	}
	for _, env := range []string{"TANDEM_TESTS=long", "TANDEM_STEPKILL=effects"} {
		k, v, _ := strings.Cut(env, "=")
		t.Setenv(k, v)
		if _, all := step.Pick(t, "a", 3); !all {
			t.Errorf("with %s not all is asked for", env)
		}
		if ways := step.Some(t, 1, 2, 3, 4); len(ways) != 4 {
			t.Errorf("with %s not all is asked for: %v", env, ways)
		}
		t.Setenv(k, "")
	}
}
