package streams

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

func TestMain(m *testing.M) { testproc.Main(m) }

var bg = context.Background()

// service is the name under which the children listen. Little goes into a connection at a
// time, so that both sides wait often.
const (
	service = "service"
	buffer  = 16 << 10
)

// region is one with the service that nobody serves. At the end of the test it has what it
// has now, and nothing more.
func region(t testing.TB) *shm.Region {
	t.Helper()
	r := shmtest.Region(t)
	l := testproc.Get(ring.Listen(r, service, &ring.ListenOptions{Buffer: buffer}))(t)
	testproc.OK(t, l.Close())
	before := contents(t, r)
	t.Cleanup(func() { await(t, r, before) })
	return r
}

// await waits until the region has no more than before.
func await(t testing.TB, r *shm.Region, before string) {
	t.Helper()
	after := contents(t, r)
	for end := time.Now().Add(testproc.Patience); after != before && time.Now().Before(end); after = contents(t, r) {
		time.Sleep(time.Millisecond)
	}
	if after != before {
		t.Errorf("the region had %s, and has %s", before, after)
	}
}

// contents is what the region has that a connection takes.
func contents(t testing.TB, r *shm.Region) string {
	t.Helper()
	s := testproc.Get(r.Snapshot())(t)
	return fmt.Sprintf("%d objects, %d streams, %d bytes", s.Directory.Live+s.Directory.Removed+s.Directory.Unopened, s.Directory.Streams, s.Memory.Used)
}

// attached is the region in a child.
func attached(name string) *shm.Region {
	r, err := shm.Open(name, nil)
	testproc.Must(err)
	return r
}

// to dials the service, whatever the address.
func to(r *shm.Region) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return ring.Dial(ctx, r, service) }
}

// letters are what a body is made of, again and again. That they are a prime number shows
// what comes a buffer too late or too early.
var letters = func() []byte {
	b := make([]byte, 65521)
	for i, rnd := 0, rand.New(rand.NewPCG(1, 2)); i < len(b); i++ {
		b[i] = byte(rnd.Uint32())
	}
	return b
}()

// body is n bytes of letters.
func body(n int) io.Reader { return io.LimitReader(new(pen), int64(n)) }

// A pen writes letters without end.
type pen struct{ at int }

func (p *pen) Read(b []byte) (int, error) {
	n := copy(b, letters[p.at:])
	p.at = (p.at + n) % len(letters)
	return n, nil
}

// A reader is what reads letters, and finds others.
type reader struct{ n int }

func (r *reader) Write(b []byte) (n int, err error) {
	for n < len(b) {
		want := letters[r.n%len(letters):]
		k := min(len(want), len(b)-n)
		if !slices.Equal(b[n:n+k], want[:k]) {
			return n, fmt.Errorf("within %d bytes after byte %d one is wrong", k, r.n)
		}
		n, r.n = n+k, r.n+k
	}
	return n, nil
}

// drain reads all of a body, and says how much that was.
func drain(from io.Reader) (int, error) {
	var r reader
	_, err := io.Copy(&r, from)
	return r.n, err
}

// drained is drain of what must have n bytes.
func drained(from io.Reader, n int) error {
	got, err := drain(from)
	if err == nil && got != n {
		err = fmt.Errorf("a body of %d bytes, want %d", got, n)
	}
	return err
}
