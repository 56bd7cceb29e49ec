package engine

import (
	"encoding/binary"
	"io"
	"runtime"
	"sync"
	"testing"
)

// yielder waits by giving way: every sleep ends at once.
type yielder struct{}

func (yielder) Sleep(*uint32, uint32) error { runtime.Gosched(); return nil }
func (yielder) Spin() bool                  { return false }
func (yielder) Now() int64                  { return 0 }

// Goroutines of several participants put, get, lease, give back and join on
// heap memory, which the race detector watches, across the wrap of the turns.
// Every message is done once.
func TestQueueHammer(t *testing.T) {
	for _, c := range queueConfigs {
		t.Run(c.String(), func(t *testing.T) {
			a, _ := heapQueue(t, c)
			const producers, each = 3, 1500
			var puts, gets sync.WaitGroup
			for p := range producers {
				q := attachQueue(t, a, uint32(p))
				puts.Go(func() {
					for i := range each {
						id := p*each + i
						msg := c.message(id)
						binary.LittleEndian.PutUint64(msg, uint64(id))
						if err := q.Put(yielder{}, msg); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			var mu sync.Mutex
			done := map[int]int{}
			for p := range 4 {
				q := attachQueue(t, a, uint32(p))
				gets.Go(func() {
					for n := 0; ; n++ {
						lease := p%2 == 0
						s, err := q.Take(yielder{}, lease)
						if err == io.EOF {
							return
						} else if err != nil {
							t.Error(err)
							return
						}
						b, err := q.bytesOf(s)
						if err != nil {
							t.Error(err)
							return
						}
						id := int(binary.LittleEndian.Uint64(b))
						want := c.message(id)
						if string(b[8:]) != string(want[8:]) {
							t.Errorf("message %d is torn", id)
						}
						if lease && n%5 == 0 {
							if err := q.Nack(q.Index(s)); err != nil {
								t.Error(err)
							}
							continue
						}
						if lease {
							err = q.Ack(q.Index(s))
						} else {
							q.Release(s)
							err = q.TaskDone()
						}
						if err != nil {
							t.Error(err)
						}
						mu.Lock()
						done[id]++
						mu.Unlock()
					}
				})
			}
			puts.Wait()
			q := attachQueue(t, a, 7)
			if err := q.Join(yielder{}); err != nil {
				t.Error(err)
			}
			mu.Lock()
			if len(done) < producers*each-4 { // a consumer notes it after it said so
				t.Errorf("Join returned with %d done of %d", len(done), producers*each)
			}
			mu.Unlock()
			q.Shutdown()
			gets.Wait()
			if len(done) != producers*each {
				t.Errorf("%d done of %d", len(done), producers*each)
			}
			for id, n := range done {
				if n != 1 {
					t.Errorf("message %d was done %d times", id, n)
				}
			}
			quietQueue(t, a)
		})
	}
}
