package bench_test

import (
	"fmt"
	gosync "sync"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/sync"
)

// One goroutine publishes and reads.
var broadcastFree = contest{what: "`Broadcast`, Publish and Next of 8 bytes", kind: "free", of: []contestant{
	{here, "Broadcast-8"}, {here, "Lossy-Broadcast-8"}, {here, "channel-8"}, {here, "Queue-8"},
}}

func BenchmarkBroadcastFree(b *testing.B) { broadcastFree.run(b) }

// One process publishes as fast as it can, one sees all.
var broadcastStream = contest{what: "`Broadcast`, a stream of 8 bytes each", kind: "stream", of: []contestant{
	{two, "Broadcast-8"}, {twoFree, "Broadcast-8"}, {two, "Queue-8"}, {inC, "mpmc-ring-8"},
}}

func BenchmarkBroadcastStream(b *testing.B) { broadcastStream.run(b) }

// One publisher and n subscribers, goroutines of one process: beside it as many channels, to
// each of which every message is sent.
func toAll(n int) contest {
	return contest{what: fmt.Sprintf("`Broadcast` to %d goroutines, 8 bytes", n), kind: "many", of: []contestant{
		{unpinned, fmt.Sprint("Broadcast-to-", n)}, {unpinned, fmt.Sprint("Lossy-Broadcast-to-", n)}, {unpinned, fmt.Sprint("channels-to-", n)},
	}}
}

var subscribersOfBroadcast = []int{1, 4}

func BenchmarkBroadcast(b *testing.B) {
	for _, n := range subscribersOfBroadcast {
		b.Run(fmt.Sprint(n), func(b *testing.B) { toAll(n).run(b) })
	}
}

// saysTo publishes n messages, which k read, and returns how many were read of the last one.
func saysTo(n, k int, publish func(m uint64), next func(i int) uint64) int {
	var done gosync.WaitGroup
	for i := range k {
		done.Go(func() {
			for next(i) != uint64(n) {
			}
		})
	}
	for m := uint64(1); m <= uint64(n); m++ {
		publish(m)
	}
	done.Wait()
	return n
}

// broadcast is as long as the rings in C.
func (e *env) broadcast(name string, mode ring.BroadcastMode) *ring.Broadcast[uint64] {
	return open(ring.OpenBroadcast[uint64](e.Region, e.name(name), &ring.BroadcastOptions{Mode: mode, Capacity: 4096}))
}

func init() {
	for name, mode := range map[string]ring.BroadcastMode{"Broadcast-8": ring.Reliable, "Lossy-Broadcast-8": ring.Lossy} {
		jobs["free/"+name] = func(e *env) func(n int) int {
			b := e.broadcast(name, mode)
			s := open(b.Subscribe())
			return func(n int) (done int) {
				for i := range uint64(n) {
					testproc.Must(b.Publish(background, i))
					if m, _, err := s.Next(background); err == nil && m == i {
						done++
					}
				}
				return done
			}
		}
	}
	jobs["stream/Broadcast-8"] = func(e *env) func(n int) int {
		b, there := e.broadcast("stream", ring.Reliable), open(sync.OpenEvent(e.Region, e.name("there")))
		if e.side == 0 {
			testproc.Must(there.Wait(background))
			return func(n int) int {
				for i := range uint64(n) {
					testproc.Must(b.Publish(background, i))
				}
				return 0
			}
		}
		s := open(b.Subscribe())
		testproc.Must(there.Set())
		return func(n int) (done int) {
			for i := range uint64(n) {
				if m, _, err := s.Next(background); err == nil && m == i {
					done++
				}
			}
			return done
		}
	}
	for _, k := range subscribersOfBroadcast {
		broadcast := func(mode ring.BroadcastMode) func(e *env) func(n int) int {
			return func(e *env) func(n int) int {
				b := e.broadcast(fmt.Sprint("to-", k, "-", mode), mode)
				subs := make([]*ring.Subscriber[uint64], k)
				for i := range subs {
					subs[i] = open(b.Subscribe())
				}
				return func(n int) int {
					return saysTo(n, k, func(m uint64) { testproc.Must(b.Publish(background, m)) }, func(i int) uint64 {
						m, _, err := subs[i].Next(background)
						testproc.Must(err)
						return m
					})
				}
			}
		}
		jobs[fmt.Sprint("many/Broadcast-to-", k)] = broadcast(ring.Reliable)
		jobs[fmt.Sprint("many/Lossy-Broadcast-to-", k)] = broadcast(ring.Lossy)
		jobs[fmt.Sprint("many/channels-to-", k)] = func(*env) func(n int) int {
			all := make([]chan uint64, k)
			for i := range all {
				all[i] = make(chan uint64, 4096)
			}
			return func(n int) int {
				return saysTo(n, k, func(m uint64) {
					for _, c := range all {
						select {
						case c <- m:
						case <-background.Done():
						}
					}
				}, func(i int) (m uint64) {
					select {
					case m = <-all[i]:
					case <-background.Done():
					}
					return m
				})
			}
		}
	}
}
