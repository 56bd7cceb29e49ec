package golden

import (
	"io"
	"net"
	"time"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// The scene "stream" has a listener, a connection in use, and one in the backlog.

func serves(a *actor) {
	a.create(&shm.Options{Size: 128 << 10, Participants: 2, Objects: 8})
	l := keep[net.Listener](a)(ring.Listen(a.r, "web", &ring.ListenOptions{Buffer: 128, Backlog: 3}))
	accepted := make(chan net.Conn)
	go func() { accepted <- must(l.Accept()) }()
	a.yield()

	c := <-accepted
	a.keep = append(a.keep, c)
	must(io.ReadFull(c, make([]byte, 120)))
	must(c.Write([]byte("an answer")))
}

func calls(a *actor) {
	a.open()
	c := keep[net.Conn](a)(ring.Dial(ctx, a.r, "web"))
	must(c.Write([]byte(long("question ")[:120])))
	a.yield()

	must(c.Write([]byte("round the end of it")))
	must(io.ReadFull(c, make([]byte, 3)))
	go ring.Dial(ctx, a.r, "web")
	for {
		s := must(a.r.Snapshot())
		if n := len(s.Streams); n == 2 && len(s.Object("web").Waits) > 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
