package hostile_test

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

// A doomed lock is a handle that is closed at any time, and another on the same
// lock, by which what is held is given back then.
type doomedLock struct{ doomed, kept stormLock }

func (d doomedLock) Lock(ctx context.Context) error { return d.doomed.Lock(ctx) }
func (d doomedLock) Recover(ctx context.Context) (bool, error) {
	return d.doomed.Recover(ctx)
}
func (d doomedLock) MarkConsistent() error {
	return instead(d.doomed.MarkConsistent(), d.kept.MarkConsistent)
}
func (d doomedLock) Unlock() error { return instead(d.doomed.Unlock(), d.kept.Unlock) }

// instead is err, or what f returns if the handle was closed.
func instead(err error, f func() error) error {
	if errors.Is(err, shm.ErrClosed) {
		return f()
	}
	return err
}

// doom closes a handle while f uses it, which may find that.
func doom(h interface{ Close() error }, f func() error) error {
	found := make(chan error, 1)
	go func() { found <- f() }()
	time.Sleep(rand.N(500 * time.Microsecond))
	return errors.Join(h.Close(), ignore(<-found, shm.ErrClosed))
}

// doomed uses a handle of some kind that is closed meanwhile. Whether the region
// is closed, too, the next call of the caller finds out.
func (s *storm) doomed() error {
	bg := context.Background()
	soon, cancel := brief()
	defer cancel()
	switch rand.IntN(9) {
	case 0:
		m, err := tsync.OpenMutex(s.r, "mu")
		if err != nil {
			return err
		}
		return doom(m, func() error { return s.locked(bg, doomedLock{m, s.mu}, underMutex, nothing) })
	case 1:
		m, err := tsync.OpenRMutex(s.r, "re")
		if err != nil {
			return err
		}
		h := m.NewHolder()
		return doom(m, func() error { return s.locked(bg, h, underHolder, nothing) })
	case 2:
		m, err := tsync.OpenRWMutex(s.r, "rw")
		if err != nil {
			return err
		}
		if rand.IntN(2) == 0 {
			return doom(m, func() error { return s.locked(bg, doomedLock{m, s.rw}, underRW, nothing) })
		}
		return doom(m, func() error {
			if err := m.RLock(bg); err != nil {
				return ignore(err, tsync.ErrOwnerDied)
			}
			return instead(m.RUnlock(), s.rw.RUnlock)
		})
	case 3:
		v, err := atomics.OpenValue(s.r, "cell", int64(0))
		if err != nil {
			return err
		}
		return doom(v, func() error { return s.locked(bg, doomedLock{v, s.cell}, underCell, nothing) })
	case 4:
		c, err := tsync.OpenCond(s.r, "of", s.lock)
		if err != nil {
			return err
		}
		return doom(c, func() error {
			return s.locked(bg, s.lock, underOf, func() error { return expired(c.Wait(soon)) })
		})
	case 5:
		p, err := tsync.OpenSemaphore(s.r, "s", stormPermits)
		if err != nil {
			return err
		}
		return doom(p, func() error {
			if err := p.Acquire(bg); err != nil {
				return err
			}
			return instead(p.Release(1), func() error { return s.s.Release(1) })
		})
	case 6:
		p, err := tsync.OpenBoundedSemaphore(s.r, "b", stormPermits)
		if err != nil {
			return err
		}
		return doom(p, func() error {
			if err := p.Acquire(bg); err != nil {
				return err
			}
			return instead(p.Release(1), func() error { return s.b.Release(1) })
		})
	case 7:
		e, err := tsync.OpenEvent(s.r, "e")
		if err != nil {
			return err
		}
		return doom(e, func() error { return expired(e.Wait(soon)) })
	default:
		b, err := tsync.OpenBarrier(s.r, "bar", stormParties, nil)
		if err != nil {
			return err
		}
		err = doom(b, func() error {
			_, err := b.Wait(bg)
			return ignore(err, tsync.ErrBroken)
		})
		return errors.Join(err, s.bar.Reset())
	}
}

// fleeting makes objects that are removed while others use them, or kept from
// being made by those that are there.
func (s *storm) fleeting() error {
	soon, cancel := brief()
	defer cancel()
	switch n := rand.IntN(20); {
	case n == 0:
		name := []string{"hog0", "hog1", "hog2"}[rand.IntN(3)] // of which there is room for two
		h, err := atomics.OpenSlice[byte](s.r, name, stormHog)
		if err != nil {
			return ignore(err, shm.ErrNoSpace)
		}
		h.Data()[rand.IntN(stormHog)]++
		return errors.Join(ignore(s.r.Remove(name), fs.ErrNotExist), h.Close())
	case n < 10:
		m, err := tsync.OpenMutex(s.r, "fleeting-lock")
		if err != nil {
			return ignore(err, shm.ErrNoSpace)
		}
		err = m.Lock(soon)
		if errors.Is(err, tsync.ErrOwnerDied) {
			if _, err = m.Recover(soon); err == nil {
				err = m.MarkConsistent()
			}
		}
		if err != nil {
			return expired(err)
		}
		return errors.Join(ignore(s.r.Remove("fleeting-lock"), fs.ErrNotExist), m.Unlock())
	default:
		q, err := ring.OpenQueue[string](s.r, "fleeting", &ring.QueueOptions{Capacity: 8, Buffer: 128 << 10})
		if err != nil {
			return ignore(err, shm.ErrNoSpace)
		}
		if err = q.Put(soon, strings.Repeat("x", rand.IntN(10_000))); err == nil {
			_, err = q.Get(soon) // this, or another's
		}
		err = errors.Join(expired(err), ignore(s.r.Remove("fleeting"), fs.ErrNotExist))
		if rand.IntN(2) == 0 {
			err = errors.Join(err, q.Close())
		}
		return err
	}
}

// clear removes what fleeting has left.
func (s *storm) clear(t *testing.T) {
	for _, name := range []string{"hog0", "hog1", "hog2", "fleeting", "fleeting-lock"} {
		if err := ignore(s.r.Remove(name), fs.ErrNotExist); err != nil {
			t.Error(err)
		}
	}
}
