package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

func openOnce(r *shm.Region, i int) (*tsync.Once, error) {
	return tsync.OpenOnce(r, fmt.Sprint("once", i))
}

// did has one Once done: it fails now and then, by another's fault or not, and
// its handle is closed now and then. won counts who did it, and seen says that
// somebody was told that it is done.
func (s *storm) did(i int) error {
	o, err := openOnce(s.r, i)
	if err != nil {
		return err
	}
	for {
		if rand.IntN(4) == 0 {
			closing := o
			time.AfterFunc(rand.N(4*time.Millisecond), func() { closing.Close() })
		}
		ran := false
		err = o.Do(context.Background(), func(context.Context) error {
			if s.seen.Load(i) != 0 {
				return fmt.Errorf("once %d runs, and is done", i)
			}
			me := rand.Int64()
			s.inside.Store(i, me)
			time.Sleep(rand.N(4 * time.Millisecond))
			if s.inside.Load(i) != me && !s.leaving.Load() {
				return fmt.Errorf("once %d runs twice at a time", i)
			}
			if rand.IntN(3) > 0 {
				return errFailed
			}
			ran = true
			return nil
		})
		switch {
		case err == nil:
			s.seen.Store(i, 1)
			if ran && atomics.AddAt(s.won, i, 1) > 1 {
				return fmt.Errorf("once %d was done twice", i)
			}
			return nil
		case errors.Is(err, shm.ErrClosed) && !s.leaving.Load():
			if o, err = openOnce(s.r, i); err != nil {
				return err
			}
		case !errors.Is(err, errFailed) || errors.Is(err, shm.ErrClosed):
			return err
		}
	}
}

var errFailed = errors.New("failed")

// onces has them done one after the other, with a pause between, on average:
// many do not live that long.
func (s *storm) onces(over func() bool, pause time.Duration) error {
	for i := int(s.turn.Load()); i < stormOnces && !over(); i++ {
		err := s.did(i)
		if err != nil {
			return err
		}
		s.turn.Store(int64(i))
		for step := min(pause, 5*time.Millisecond); rand.N(pause) >= step && !over() && !s.leaving.Load(); {
			time.Sleep(step)
		}
	}
	return nil
}

// done is the end: each Once that had its turn was done once.
func (s *storm) done(t *testing.T) (last int) {
	last = int(s.turn.Load())
	for i := range last {
		if err := s.did(i); err != nil {
			t.Error(err)
		}
		if n := s.won.Load(i); n > 1 || s.seen.Load(i) != 1 {
			t.Errorf("once %d: done by %d", i, n)
		}
	}
	return last
}
