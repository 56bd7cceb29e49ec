package streams

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"sync"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Text is what the children serve by net/rpc.
type Text struct{}

// Repeated is Text's argument.
type Repeated struct {
	Text  []byte
	Times int
}

// Repeat answers with the text so many times.
func (Text) Repeat(r Repeated, answer *[]byte) error {
	if r.Times < 0 {
		return errors.New("less often than never")
	}
	*answer = bytes.Repeat(r.Text, r.Times)
	return nil
}

// Hang never answers.
func (Text) Hang(struct{}, *struct{}) error {
	testproc.Say("hangs")
	select {}
}

var rpcServer = testproc.Role("rpc server", func(args []string) {
	l, err := ring.Listen(attached(args[0]), service, nil)
	testproc.Must(err)
	testproc.Must(rpc.Register(Text{}))
	testproc.Say("ready")
	rpc.Accept(l)
})

func callers(t testing.TB, r *shm.Region) *rpc.Client {
	c := rpc.NewClient(testproc.Get(ring.Dial(bg, r, service))(t))
	t.Cleanup(func() { c.Close() })
	return c
}

// Calls at once, on one connection and on several, short and long; then the server dies.
func TestRPC(t *testing.T) {
	r := region(t)
	s := rpcServer.Start(t, r.Name())
	s.Expect("ready")
	var all sync.WaitGroup
	var last *rpc.Client
	for range 3 {
		c := callers(t, r)
		for i := range 8 {
			all.Go(func() {
				for k := range 20 {
					arg := Repeated{fmt.Append(nil, i, " ", k, " "), k * 100}
					var answer []byte
					if err := c.Call("Text.Repeat", arg, &answer); err != nil || !bytes.Equal(answer, bytes.Repeat(arg.Text, arg.Times)) {
						t.Errorf("%q %d times: %q, %v", arg.Text, arg.Times, answer, err)
					}
				}
			})
		}
		last = c
	}
	all.Wait()
	if err := last.Call("Text.Repeat", Repeated{nil, -1}, new([]byte)); err == nil || err.Error() != "less often than never" {
		t.Errorf("its own error: %v", err)
	}
	call := last.Go("Text.Hang", struct{}{}, new(struct{}), nil)
	s.Expect("hangs")
	s.Kill()
	<-call.Done
	if !errors.Is(call.Error, io.ErrUnexpectedEOF) {
		t.Errorf("a call of a dead server: %v", call.Error)
	}
	if err := last.Call("Text.Hang", struct{}{}, new(struct{})); !errors.Is(err, rpc.ErrShutdown) {
		t.Errorf("a call after it: %v", err)
	}
}
