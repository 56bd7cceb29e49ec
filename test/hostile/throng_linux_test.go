package hostile_test

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

// threads is how many this process has.
func threads(t *testing.T) int {
	d, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// A thousand goroutines at one queue and one mutex all get through, with one
// processor and with more than there are. A sleeper holds a thread, and
// nothing else does.
func TestThrong(t *testing.T) {
	goroutines, each := effort.Or(1000, 200), effort.Or(20, 10)
	for _, procs := range []int{1, 64} {
		t.Run(fmt.Sprintf("GOMAXPROCS=%d", procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			r, ctx := shmtest.Region(t), testproc.Watchdog(t)
			q := testproc.Get(ring.OpenQueue[int64](r, "q", &ring.QueueOptions{Capacity: 7}))(t)
			mu := testproc.Get(tsync.OpenMutex(r, "mu"))(t)
			sum := testproc.Get(atomics.OpenValue(r, "sum", int64(0)))(t)
			unguarded := testproc.Get(atomics.OpenSlice[int64](r, "unguarded", 1))(t).Data()

			var all, producers sync.WaitGroup
			for g := range goroutines {
				all.Add(1)
				if g%2 == 0 {
					producers.Add(1)
				}
				go func() {
					defer all.Done()
					for i := range each {
						if err := mu.Lock(ctx); err != nil {
							t.Error(err)
							break
						}
						unguarded[0]++
						if err := mu.Unlock(); err != nil {
							t.Error(err)
						}
						if g%2 != 0 {
							continue
						}
						if err := q.Put(ctx, int64(g*each+i)); err != nil {
							t.Error(err)
						}
					}
					if g%2 == 0 {
						producers.Done()
						return
					}
					for v, err := range q.All(ctx) {
						if err != nil {
							t.Error(err)
							return
						}
						atomics.Add(sum, v)
					}
				}()
			}
			producers.Wait()
			if err := q.Shutdown(); err != nil {
				t.Error(err)
			}
			most := threads(t)
			all.Wait()
			var want int64
			for g := 0; g < goroutines; g += 2 {
				for i := range each {
					want += int64(g*each + i)
				}
			}
			if got := sum.Load(); got != want {
				t.Errorf("the messages add up to %d, want %d", got, want)
			}
			if got, want := unguarded[0], int64(goroutines*each); got != want {
				t.Errorf("counted %d under the mutex, want %d", got, want)
			}
			t.Logf("%d threads at the end of the producers", most)
			if limit := goroutines + procs + 100; most > limit {
				t.Errorf("%d threads for %d goroutines, want at most %d", most, goroutines, limit)
			}
		})
	}
}
