package damage

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
)

func TestMain(m *testing.M) { testproc.Main(m) }

var (
	firstSeed = flag.Uint64("seed", 1, "the first seed")
	nRounds   = flag.Int("rounds", 0, "how many seeds; 0: some, fewer with -short")
	slowCalls = flag.Duration("slow", 0, "print calls that take longer")
)

// at a time, since most of a round is waiting.
const atATime = 4

func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tandem-damage-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// player plays rounds: the image's file, a directory, the seeds from and to,
// what call is slow.
var player = testproc.Role("player", func(args []string) {
	image := must(os.ReadFile(args[0]))
	from, to := must(strconv.ParseUint(args[2], 10, 64)), must(strconv.ParseUint(args[3], 10, 64))
	if d := must(time.ParseDuration(args[4])); d > 0 {
		slow = d
	}
	os.Setenv("TANDEM_DIR", args[1])
	all := spans(image)
	var next atomic.Uint64
	next.Store(from)
	var wg gosync.WaitGroup
	for range atATime {
		wg.Go(func() {
			w := new(watch)
			go w.guard()
			for {
				seed := next.Add(1) - 1
				if seed >= to {
					return
				}
				testproc.Say("begin", seed)
				r := newRound(seed, all)
				r.watch = w
				faults := must(r.play(image, args[1]))
				for _, err := range faults {
					testproc.Say("fault", strings.ReplaceAll(err.Error(), "\n", "\t"))
				}
				if r.corrupt > 0 {
					testproc.Say("noticed", seed)
				}
				testproc.Say("end", seed)
			}
		})
	}
	wg.Wait()
	testproc.Say("played")
})

// Without damage everything can be opened, and nothing is found to be wrong:
// the rounds test what they seem to.
func TestUndamaged(t *testing.T) {
	image := build(t)
	r := newRound(1, spans(image))
	r.edits, r.ops, r.watch = nil, 0, new(watch)
	go r.watch.guard()
	names := map[string]bool{}
	r.called = func(o op, err error) {
		names[o.name] = true
		if err != nil && (strings.HasPrefix(o.name, "open ") && !strings.Contains(o.name, " a") && !strings.Contains(o.name, " what") || o.name == "Check") {
			t.Errorf("%s: %v", o.name, err)
		}
	}
	dir := tempDir(t)
	t.Setenv("TANDEM_DIR", dir)
	faults, err := r.play(image, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range faults {
		t.Error(err)
	}
	if r.corrupt > 0 {
		t.Errorf("%d calls said ErrCorrupt", r.corrupt)
	}
	t.Logf("%d operations, %d other errors", len(names), r.refused)
}

// A damaged region is an error that says so, or a wrong result.
func TestDamage(t *testing.T) {
	rounds := *nRounds
	if rounds == 0 {
		rounds = effort.Or(600, 300)
	}
	dir := tempDir(t)
	file := filepath.Join(tempDir(t), "image")
	if err := os.WriteFile(file, build(t), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	// A player lives for so many rounds: what is given out of Slices stays mapped.
	const perPlayer = 2000
	noticed := 0
	for from, end := *firstSeed, *firstSeed+uint64(rounds); from < end; from += perPlayer {
		noticed += play(t, file, dir, from, min(from+perPlayer, end))
	}
	t.Logf("%d rounds in %v; %d said ErrCorrupt", rounds, time.Since(begun).Round(time.Millisecond), noticed)
	if rounds >= 100 && noticed < rounds/10 {
		t.Errorf("damage was noticed in %d of %d rounds", noticed, rounds)
	}
}

// play has the seeds played, and returns how many noticed the damage.
func play(t *testing.T, file, dir string, from, to uint64) (noticed int) {
	c := player.Start(t, file, dir, fmt.Sprint(from), fmt.Sprint(to), slowCalls.String())
	under := map[string]bool{}
	for {
		line, ok := c.Next()
		if !ok {
			t.Fatalf("the process ended (%v) in one of the seeds %v; what it said is above", c.Wait(), keys(under))
		}
		what, rest, _ := strings.Cut(line, " ")
		switch what {
		case "begin":
			under[rest] = true
		case "end":
			delete(under, rest)
		case "noticed":
			noticed++
		case "fault":
			t.Error(strings.ReplaceAll(rest, "\t", "\n"))
		case "played":
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
			return noticed
		default:
			t.Errorf("the player says %q", line)
		}
	}
}

func keys(m map[string]bool) (ks []string) {
	for k := range m {
		ks = append(ks, k)
	}
	return ks
}

// FuzzDamage has the fuzzer choose the damage: a moment, what else is by
// chance, and edits.
func FuzzDamage(f *testing.F) {
	image := build(f)
	all := spans(image)
	dir := tempDir(f)
	os.Setenv("TANDEM_DIR", dir)
	for seed := range uint64(30) {
		r := newRound(seed, all)
		f.Add(byte(r.moment), seed, encode(r.edits))
	}
	w := new(watch)
	go w.guard()
	f.Fuzz(func(t *testing.T, moment byte, seed uint64, edits []byte) {
		r := newRound(seed, all)
		r.name, r.moment, r.edits, r.watch = "input", int(moment%nMoments), decode(edits), w
		faults, err := r.play(image, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range faults {
			t.Error(err)
		}
	})
}
