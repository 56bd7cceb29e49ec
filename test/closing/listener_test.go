package closing

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"example.com/tandem/internal/stormtest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// Who accepts gives each connection a number, and closes it.
func number(c net.Conn, n int64) error {
	_, err := c.Write(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	return errors.Join(err, c.Close())
}

// numbered is the number of a connection: 0 where its other end closed before it was written.
func numbered(c net.Conn) (int64, error) {
	b, err := io.ReadAll(c)
	if err = errors.Join(err, c.Close()); err != nil || len(b) == 0 {
		return 0, err
	}
	if len(b) != 8 {
		return 0, io.ErrUnexpectedEOF
	}
	return int64(binary.LittleEndian.Uint64(b)), nil
}

// accepting is where the leaver's hands accept.
var accepting net.Listener

var accepted atomic.Int64

func init() {
	// Took: connections accepted; Gave: those of them that have their numbers, which are Values.
	deeds["stream.accept"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (f func(context.Context) error, err error) {
		if rep.Last == "" {
			rep.Last = "Listen"
			accepting, err = ring.Listen(r, "svc", &ring.ListenOptions{Buffer: 1024, Backlog: 2})
		}
		return func(context.Context) error {
			c, err := accepting.Accept()
			if err != nil {
				return err
			}
			n := accepted.Add(1)
			err = number(c, n)
			mu.Lock()
			defer mu.Unlock()
			rep.Took++
			if err == nil {
				rep.Values = append(rep.Values, n)
			}
			return err
		}, err
	}
	// Took: connections dialled, with the numbers that were read of them.
	deeds["stream.dial"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		return func(ctx context.Context) error {
			c, err := ring.Dial(ctx, r, "svc")
			if err != nil {
				return err
			}
			n, err := numbered(c)
			mu.Lock()
			defer mu.Unlock()
			rep.Took++
			if err == nil {
				rep.Values = append(rep.Values, n)
			}
			return err
		}, nil
	}
}

// Whom the leaver told that it accepted has dialled, and nobody else; and the numbers that it
// told of have come.
func TestStreamAccept(t *testing.T) {
	t.Parallel()
	r := shmtest.Region(t)
	small(t, r).Close()
	used := testproc.Get(r.Snapshot())(t).Memory.Used
	var wg sync.WaitGroup
	var mu sync.Mutex
	var dialled int
	var came []int64
	stop := func() {}
	leaving(t, r, "stream.accept", func() {
		dialled, came = 0, nil
		var dialling context.Context
		dialling, stop = context.WithCancel(context.Background())
		for range hands {
			wg.Go(func() {
				for dialling.Err() == nil {
					c, err := ring.Dial(dialling, r, "svc")
					if err != nil {
						if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, context.Canceled) {
							t.Error(err)
						}
						continue
					}
					n, err := numbered(c)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					dialled++
					if n != 0 {
						came = append(came, n)
					}
					mu.Unlock()
				}
			})
		}
	}, func(t *testing.T, rep report) {
		stop()
		wg.Wait()
		if dialled != rep.Took {
			t.Errorf("%d Dials were told of a connection, and %d Accepts", dialled, rep.Took)
		}
		slices.Sort(came)
		slices.Sort(rep.Values)
		if !slices.Equal(came, rep.Values) {
			t.Errorf("%d numbers came, and the leaver told of %d", len(came), len(rep.Values))
		}
	})
	stormtest.MemoryBack(t, r, used)
}

// Whom the leaver told that it dialled was accepted, and nobody else.
func TestStreamDial(t *testing.T) {
	t.Parallel()
	r := shmtest.Region(t)
	l := small(t, r)
	used := testproc.Get(r.Snapshot())(t).Memory.Used
	var wg sync.WaitGroup
	var n atomic.Int64
	first := int64(0)
	leaving(t, r, "stream.dial", func() {
		first = n.Load()
		for range hands {
			wg.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					number(c, n.Add(1)) // EPIPE where the leaver is gone
				}
			})
		}
	}, func(t *testing.T, rep report) {
		testproc.OK(t, l.Close())
		wg.Wait()
		if all := n.Load() - first; int64(rep.Took) != all {
			t.Errorf("%d Dials were told of a connection, and %d Accepts", rep.Took, all)
		}
		slices.Sort(rep.Values)
		if k := len(rep.Values); k > 0 && (rep.Values[0] <= first || rep.Values[k-1] > n.Load() || len(slices.Compact(rep.Values)) < k) {
			t.Errorf("the leaver has read %v, of %d to %d", rep.Values, first+1, n.Load())
		}
		l = small(t, r)
	})
	stormtest.MemoryBack(t, r, used)
}
