package engine

import (
	"encoding/binary"
	"io"
	"sync"
	"testing"
)

// Goroutines of several participants publish and read on heap memory, which the race
// detector watches. What each subscriber has received and missed is what was published; each
// publisher's messages come in order, and whole.
func TestBroadcastHammer(t *testing.T) {
	for _, c := range broadcastConfigs {
		for _, c.Reliable = range []bool{false, true} {
			hammerBroadcast(t, c)
		}
	}
}

func hammerBroadcast(t *testing.T, c BroadcastConfig) {
	a, _ := newBroadcast(t, c)
	const publishers, each = 3, 1000
	var puts, gets sync.WaitGroup
	for p := range 3 {
		s := subscribe(t, attachBroadcast(t, a, uint32(p)))
		gets.Go(func() {
			last, seen := [publishers]int{}, uint64(0)
			for {
				msg, err := s.GetNow()
				seen += s.Missed()
				if err == ErrEmpty {
					if err = s.Wait(yielder{}); err == nil {
						continue
					}
				}
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Error(err)
					return
				}
				seen++
				by, n := int(msg[0]), int(binary.LittleEndian.Uint32(msg[1:]))
				if by >= publishers || n <= last[by] {
					t.Errorf("message %d of %d after %d", n, by, last[by])
				}
				last[by] = n
				for _, x := range msg[5:] {
					if x != byte(n) {
						t.Errorf("message %d of %d is torn: %v", n, by, msg)
						break
					}
				}
			}
			if seen != publishers*each {
				t.Errorf("%d of %d", seen, publishers*each)
			}
		})
	}
	for p := range publishers {
		b := attachBroadcast(t, a, uint32(p))
		puts.Go(func() {
			for n := 1; n <= each; n++ {
				msg := said(n, max(c.sizeOf(n), 5))
				msg[0] = byte(p)
				binary.LittleEndian.PutUint32(msg[1:], uint32(n))
				if err := b.Publish(yielder{}, msg); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	puts.Wait()
	if err := attachBroadcast(t, a, 7).Shutdown(); err != nil {
		t.Error(err)
	}
	gets.Wait()
	quietBroadcast(t, a)
}
