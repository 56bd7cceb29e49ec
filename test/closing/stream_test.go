package closing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/stormtest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// The bytes of a connection go by where they are in it, with a prime, so that what is
// displaced by a part of a ring is seen.
func filled(p []byte, at int64) []byte {
	for i := range p {
		p[i] = byte((at + int64(i)) % 251)
	}
	return p
}

// inPlace fails for bytes that are not those from there on.
func inPlace(p []byte, at int64) error {
	for i, b := range p {
		if want := byte((at + int64(i)) % 251); b != want {
			return fmt.Errorf("byte %d is %d, want %d", at+int64(i), b, want)
		}
	}
	return nil
}

// A mover writes to a connection once more, or reads from it, what comes from there on, and
// returns how many bytes that was.
type mover func(c net.Conn, at int64) (int64, error)

// movers are the verbs of a connection; each hand has its own.
var movers = map[string]func() (mover, error){
	"write": func() (mover, error) {
		return func(c net.Conn, at int64) (int64, error) {
			n, err := c.Write(filled(make([]byte, 1+rand.IntN(3000)), at))
			return int64(n), err
		}, nil
	},
	"readfrom": func() (mover, error) {
		f, err := scratch()
		if err != nil {
			return nil, err
		}
		_, err = f.Write(filled(make([]byte, 4000), 0))
		return func(c net.Conn, at int64) (int64, error) {
			if _, err := f.Seek(at%251, io.SeekStart); err != nil {
				return 0, err
			}
			return c.(io.ReaderFrom).ReadFrom(io.LimitReader(f, 1+rand.Int64N(3000)))
		}, err
	},
	"read": func() (mover, error) {
		return func(c net.Conn, at int64) (int64, error) {
			p := make([]byte, 1+rand.IntN(3000))
			n, err := c.Read(p)
			if wrong := inPlace(p[:n], at); wrong != nil {
				return 0, wrong
			}
			return int64(n), err
		}, nil
	},
	"writeto": func() (mover, error) {
		f, err := scratch()
		return func(c net.Conn, at int64) (int64, error) {
			c.SetReadDeadline(time.Now().Add(rand.N(2 * time.Millisecond))) // or it has no end
			n, err := c.(io.WriterTo).WriteTo(f)
			p := make([]byte, n+1)
			if m, _ := f.ReadAt(p, at); int64(m) != n {
				return 0, fmt.Errorf("%d bytes told of, and the file has %d more", n, m)
			}
			if wrong := inPlace(p[:n], at); wrong != nil {
				return 0, wrong
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil
			}
			return n, err
		}, err
	},
}

// scratch is a file without a name.
func scratch() (*os.File, error) {
	f, err := os.CreateTemp("", "tandem")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

func init() {
	for verb, begin := range movers {
		deeds["stream."+verb] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
			move, err := begin()
			if err != nil {
				return nil, err
			}
			c, err := ring.Dial(context.Background(), r, "svc")
			k := len(rep.Values) // of each hand the bytes, in the order of their connections
			rep.Values = append(rep.Values, 0)
			at := int64(0)
			return func(context.Context) error {
				n, err := move(c, at)
				at += n
				mu.Lock()
				defer mu.Unlock()
				rep.Values[k] = at
				return err
			}, err
		}
	}
}

// A moved is what the observer's end has of one connection.
type moved struct {
	conn  net.Conn
	bytes int64
	err   error
}

// attend accepts a connection of each hand, in their order, and returns what has become of
// them when all is over.
func attend(l net.Listener, serve func(c net.Conn) (int64, error)) func() []moved {
	all := make([]moved, hands)
	var wg sync.WaitGroup
	wg.Go(func() {
		for k := range all {
			c, err := l.Accept()
			if all[k] = (moved{conn: c, err: err}); err == nil {
				wg.Go(func() { all[k].bytes, all[k].err = serve(c) })
			}
		}
	})
	return func() []moved { wg.Wait(); return all }
}

func small(t *testing.T, r *shm.Region) net.Listener {
	t.Helper()
	return testproc.Get(ring.Listen(r, "svc", &ring.ListenOptions{Buffer: 1024, Backlog: 2}))(t)
}

// What the leaver told of it has written, to the byte, and nothing else; and then comes the end.
func TestStreamWrites(t *testing.T) {
	for _, verb := range []string{"write", "readfrom"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			r := shmtest.Region(t)
			l := small(t, r)
			used := testproc.Get(r.Snapshot())(t).Memory.Used
			var ended func() []moved
			leaving(t, r, "stream."+verb, func() {
				ended = attend(l, func(c net.Conn) (n int64, err error) {
					for {
						p := make([]byte, 1+rand.IntN(2000))
						k, err := c.Read(p)
						if wrong := inPlace(p[:k], n); wrong != nil {
							return n, wrong
						}
						if n += int64(k); err != nil {
							return n, err
						}
					}
				})
			}, func(t *testing.T, rep report) {
				for k, c := range ended() {
					if c.err != io.EOF || c.bytes != rep.Values[k] {
						t.Errorf("%d bytes and %v came, and the leaver told of %d", c.bytes, c.err, rep.Values[k])
					}
					testproc.OK(t, c.conn.Close())
				}
			})
			stormtest.MemoryBack(t, r, used)
		})
	}
}

// What the leaver told of it has read, and all else is unread; the end says whether there is such.
func TestStreamReads(t *testing.T) {
	for _, verb := range []string{"read", "writeto"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			r := shmtest.Region(t)
			l := small(t, r)
			used := testproc.Get(r.Snapshot())(t).Memory.Used
			var ended func() []moved
			leaving(t, r, "stream."+verb, func() {
				ended = attend(l, func(c net.Conn) (n int64, err error) {
					for err == nil {
						var k int
						k, err = c.Write(filled(make([]byte, 1+rand.IntN(2000)), n))
						n += int64(k)
					}
					if !errors.Is(err, syscall.EPIPE) {
						return n, err
					}
					_, err = c.Read(make([]byte, 1))
					return n, err
				})
			}, func(t *testing.T, rep report) {
				all := ended()
				unread, left := int64(0), int64(0)
				for _, s := range testproc.Get(r.Snapshot())(t).Streams {
					left += int64(s.Len)
				}
				for k, c := range all {
					of := c.bytes - rep.Values[k]
					if reset := errors.Is(c.err, syscall.ECONNRESET); reset != (of > 0) || !reset && c.err != io.EOF {
						t.Errorf("%v at the end of a connection with %d bytes written, and the leaver told of %d", c.err, c.bytes, rep.Values[k])
					}
					unread += of
				}
				if unread != left {
					t.Errorf("%d bytes should be unread, and %d are", unread, left)
				}
				for _, c := range all {
					testproc.OK(t, c.conn.Close())
				}
			})
			stormtest.MemoryBack(t, r, used)
		})
	}
}
