package engine

import (
	"io"
	"testing"
)

// A driven is the Sleeper of a call that may let time pass, and what others do while
// it spins.
type driven struct {
	t     *testing.T
	awake bool
	spins int
	do    func(spin int)
}

func (s *driven) Spin() bool {
	if s.spins++; s.spins > 100 {
		s.t.Fatal("it spins on")
	}
	s.do(s.spins)
	return true
}

func (s *driven) Sleep(*uint32, uint32) error { return errAsleep }
func (s *driven) Now() int64                  { return 1 }
func (s *driven) Lulls() bool                 { return !s.awake }

// A call that spins looks, now and then, at all that it waits for: what may come
// without a change of the slot at the front.
func TestSpinLooksAtAll(t *testing.T) {
	c := QueueConfig{Slots: 4, Room: 8}
	msg := make([]byte, 8)
	for _, tt := range []struct {
		name string
		come func(q *Queue) error
		want error
	}{
		{"a message that is given back", func(q *Queue) error { return q.Nack(0) }, nil},
		{"the end", func(q *Queue) error {
			if err := q.Ack(0); err != nil {
				return err
			}
			q.Shutdown()
			return nil
		}, io.EOF},
	} {
		_, q := heapQueue(t, c)
		if err := q.TryPut(msg); err != nil {
			t.Fatal(err)
		}
		if s, err := q.Take(nil, true); err != nil || q.Index(s) != 0 {
			t.Fatal(err)
		}
		s := &driven{t: t, do: func(spin int) {
			if spin == 3 {
				if err := tt.come(q); err != nil {
					t.Fatal(err)
				}
			}
		}}
		if _, err := q.Take(s, false); err != tt.want {
			t.Errorf("%s: Take = %v, want %v", tt.name, err, tt.want)
		}
		if s.spins > 3+doneEvery {
			t.Errorf("%s is seen at look %d", tt.name, s.spins)
		}
	}
}
