package golden

import (
	"io"
	"syscall"
	"testing"

	"example.com/tandem/ring"
)

// All were killed: the place is free, and nothing is left of the connections.
func TestReadStream(t *testing.T) {
	r := openImage(t, "stream")
	_, err := ring.Dial(ctx, r, "web")
	wantErr(t, "Dial", err, syscall.ECONNREFUSED)
	l := check(ring.Listen(r, "web", nil))(t)
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.Copy(c, c)
			c.Close()
		}
		done <- err
	}()
	c := check(ring.Dial(ctx, r, "web"))(t)
	check(c.Write([]byte("hello")))(t)
	b := make([]byte, 5)
	check(io.ReadFull(c, b))(t)
	want(t, "what came back", string(b), "hello")
	c.Close()
	<-done
	s := check(r.Snapshot())(t)
	want(t, "objects", s.Directory.Live, 1)
	want(t, "connections", len(s.Streams), 0)
	want(t, "what is removed and still open", s.Directory.Removed, 0)
}
