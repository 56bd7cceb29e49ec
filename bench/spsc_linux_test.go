package bench_test

import (
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// SPSCs of eight bytes, as long as the rings in C.
func (e *env) spsc(name string, wait ring.Wait) *ring.SPSC[uint64] {
	return open(ring.OpenSPSC[uint64](e.Region, e.name(name), &ring.SPSCOptions{Capacity: 4096, Wait: wait}))
}

var spscFree = contest{what: "`SPSC`, Put and Get of 8 bytes", kind: "free", of: []contestant{
	{here, "SPSC-8"}, {here, "channel-8"}, {here, "Queue-8"},
}}

func BenchmarkSPSCFree(b *testing.B) { spscFree.run(b) }

var spscStream = contest{what: "`SPSC` that spins, a stream of 8 bytes each", kind: "stream", of: []contestant{
	{two, "SPSC-8-Spin"}, {two, "SPSC-8"}, {inC, "spsc-ring-8"}, {two, "Queue-8"},
}}

func BenchmarkSPSCStream(b *testing.B) { spscStream.run(b) }

// Each message is an operation, and they come and go by up to 32.
var spscBatch = contest{what: "`SPSC`, a stream of 8 bytes each, 32 at a time", kind: "stream", of: []contestant{
	{two, "SPSC-8-by-32"}, {inC, "spsc-ring-8"}, {two, "Queue-8-by-32"},
}}

func BenchmarkSPSCBatch(b *testing.B) { spscBatch.run(b) }

var spscTrip = contest{what: "two `SPSC`s that spin, a round trip of 8 bytes", kind: "trip", of: []contestant{
	{two, "SPSC-8-Spin"}, {two, "SPSC-8"}, {inC, "spsc-ring-8"}, {two, "Queue-8"},
}}

func BenchmarkSPSCTrip(b *testing.B) { spscTrip.run(b) }

// A spin takes a processor; who does not ask for it is to lose little.
var spscAdaptive = contest{what: "`SPSC` that adapts, a stream of 8 bytes each", kind: "stream", of: []contestant{
	{two, "SPSC-8"}, {two, "SPSC-8-Spin"},
}}

func spscBars() []bar {
	return []bar{
		{contest: spscStream, against: "spsc-ring-8", least: 1},
		{contest: spscBatch, against: "spsc-ring-8", least: 3},
		{contest: spscTrip, against: "spsc-ring-8", least: 1 / 1.2},
		{contest: spscAdaptive, against: "SPSC-8-Spin", least: 0.9},
	}
}

func init() {
	jobs["free/SPSC-8"] = func(e *env) func(n int) int {
		s := e.spsc("s8", ring.Adaptive)
		return func(n int) (done int) {
			for i := range uint64(n) {
				testproc.Must(s.Put(background, i))
				if m, err := s.Get(background); err == nil && m == i {
					done++
				}
			}
			return done
		}
	}
	jobs["stream/SPSC-8-by-32"] = func(e *env) func(n int) int {
		s := e.spsc("sbatches8", ring.Spin)
		var batch [32]uint64
		return func(n int) int { return byBatches(e, s, batch[:], uint64(n)) }
	}
	for name, wait := range map[string]ring.Wait{"": ring.Adaptive, "-Spin": ring.Spin} {
		jobs["stream/SPSC-8"+name] = func(e *env) func(n int) int {
			s := e.spsc("sstream8"+name, wait)
			return func(n int) (done int) {
				for i := range uint64(n) {
					if e.side == 0 {
						testproc.Must(s.Put(background, i))
					} else if m, err := s.Get(background); err == nil && m == i {
						done++
					}
				}
				return done
			}
		}
		jobs["trip/SPSC-8"+name] = func(e *env) func(n int) int {
			there, back := e.spsc("sthere8"+name, wait), e.spsc("sback8"+name, wait)
			return func(n int) (done int) {
				for i := range uint64(n) {
					if e.side == 1 {
						testproc.Must(back.Put(background, open(there.Get(background))))
						continue
					}
					testproc.Must(there.Put(background, i))
					if m, err := back.Get(background); err == nil && m == i {
						done++
					}
					e.trip()
				}
				return done
			}
		}
	}
}
