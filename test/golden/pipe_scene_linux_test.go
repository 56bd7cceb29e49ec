package golden

import (
	"fmt"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// The scene "pipe" has pipes between two processes, in use, with one end gone, and with one
// that never came.

func talks(a *actor) {
	a.create(&shm.Options{Size: 96 << 10, Participants: 2, Objects: 8})
	talk := keep[*ring.Conn[string]](a)(ring.OpenPipe[string](a.r, "talk", ring.Left, &ring.PipeOptions{Buffer: 500}))
	testproc.Must(talk.Send(ctx, "one"))
	numbers := keep[*ring.Conn[int16]](a)(ring.OpenPipe[int16](a.r, "numbers", ring.Left, &ring.PipeOptions{Direction: ring.OneWay, Buffer: 64}))
	for _, n := range []int16{1, -2, 3} {
		testproc.Must(numbers.Send(ctx, n))
	}
	testproc.Must(numbers.Close())
	keep[*ring.Conn[point]](a)(ring.OpenPipe[point](a.r, "idle", ring.Left, &ring.PipeOptions{Buffer: 64}))
	a.yield()

	for _, s := range []string{"two", ""} {
		testproc.Must(talk.Send(ctx, s))
	}
	if s := must(talk.Recv(ctx)); s != long("back ") {
		testproc.Must(fmt.Errorf("%q came back", s))
	}
}

func listens(a *actor) {
	a.open()
	talk := keep[*ring.Conn[string]](a)(ring.OpenPipe[string](a.r, "talk", ring.Right, nil))
	must(talk.Recv(ctx))
	testproc.Must(talk.Send(ctx, long("back ")))
	numbers := keep[*ring.Conn[int16]](a)(ring.OpenPipe[int16](a.r, "numbers", ring.Right, nil))
	must(numbers.Recv(ctx))
	a.yield()
	testproc.Must(talk.Send(ctx, long("round ")))
}
