package engine

import (
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/tandem/internal/mem"
)

// Goroutines of several processes use one queue on the heap, where the race
// detector sees all its bytes, beside recoveries and checks: every message
// comes, whole, and once but for those given back.
func TestQueueOnTheHeap(t *testing.T) {
	for _, c := range queueConfigs {
		t.Run(c.String(), func(t *testing.T) {
			const producers, each = 3, 300
			a, _ := heapQueue(t, c)
			var put, all sync.WaitGroup
			var got [producers * each]atomic.Int32
			var ended atomic.Bool
			all.Go(func() {
				q := attachQueue(t, a, 7)
				for dead := uint32(0); !ended.Load(); dead++ {
					q.Len()
					runtime.Gosched()
					if mem.RaceEnabled && c.Blocks > 0 {
						continue // what follows reads a slot first and then asks whether it stood still
					}
					lookQueue(a)
					if err := recoverQueue(a, q.env, Self{dead % 8, 9}); err != nil {
						t.Error(err)
					}
					if err := checkQueue(a); err != nil {
						t.Error(err)
					}
				}
			})
			for p := range producers {
				put.Go(func() {
					q := attachQueue(t, a, uint32(p))
					for i := range each {
						msg := c.message(i)
						msg[0], msg[1], msg[2] = byte(p), byte(i), byte(i>>8)
						for q.TryPut(msg) != nil {
							runtime.Gosched()
						}
					}
				})
			}
			var consumers sync.WaitGroup
			for k := range 3 {
				q := attachQueue(t, a, uint32(3+k%2)) // two share one process's claims
				consumers.Go(func() {
					for n := 0; ; n++ {
						lease := (n+k)%3 > 0
						s, err := q.Take(nil, lease)
						if err == ErrEmpty {
							runtime.Gosched()
							continue
						} else if err != nil {
							if err != io.EOF {
								t.Error(err)
							}
							return
						}
						b, err := q.bytesOf(s)
						if err != nil {
							t.Error(err)
							return
						}
						switch i := q.Attempt(s); {
						case !lease:
							q.Release(s)
							err = q.TaskDone()
						case i < 3 && n%4 == 0:
							if err := q.Nack(q.Index(s)); err != nil {
								t.Error(err)
							}
							continue
						default:
							err = q.Ack(q.Index(s))
						}
						if err != nil {
							t.Error(err)
						}
						got[int(b[0])*each+int(b[1])+int(b[2])<<8].Add(1)
					}
				})
			}
			put.Wait()
			attachQueue(t, a, 6).Shutdown()
			consumers.Wait()
			ended.Store(true)
			all.Wait()
			for i := range got {
				if n := got[i].Load(); n != 1 {
					t.Errorf("message %d came %d times", i, n)
				}
			}
			quietQueue(t, a)
		})
	}
}
