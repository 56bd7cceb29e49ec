package ring_test

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"example.com/tandem/ring"
)

// What every net.Conn does.
func TestStreamNettest(t *testing.T) {
	r := region(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		p := ring.NewStreamPair(t, r, 4096)
		return p.Dialer, p.Acceptor, func() {
			p.Dialer.Close()
			p.Acceptor.Close()
		}, nil
	})
}
