package golden

import (
	"errors"
	"fmt"
	"io"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// The scene "spsc" has rings between two processes, in use and at their ends.

func sends(a *actor) {
	a.create(&shm.Options{Size: 96 << 10, Participants: 2, Objects: 8})
	points := keep[*ring.SPSC[point]](a)(ring.OpenSPSC[point](a.r, "points", &ring.SPSCOptions{Capacity: 3}))
	testproc.Must(points.Put(ctx, point{1, -1}))
	batch(points, []point{{2, -2}, {3, -3}})
	back := keep[*ring.SPSC[uint64]](a)(ring.OpenSPSC[uint64](a.r, "back", &ring.SPSCOptions{Capacity: 2}))
	over := keep[*ring.SPSC[int16]](a)(ring.OpenSPSC[int16](a.r, "over", &ring.SPSCOptions{Capacity: 5}))
	batch(over, []int16{-5, 6})
	half := keep[*ring.SPSC[int16]](a)(ring.OpenSPSC[int16](a.r, "half", nil))
	batch(half, []int16{7, 8, 9})
	a.yield()

	batch(points, []point{{4, -4}, {5, -5}}) // into the next lap
	if back.Len() != 1 {
		testproc.Must(fmt.Errorf("%d came back", back.Len()))
	}
}

func batch[T any](s *ring.SPSC[T], vs []T) {
	if n, err := s.PutBatch(ctx, vs); n != len(vs) {
		testproc.Must(errors.Join(err, fmt.Errorf("%d of %d are in", n, len(vs))))
	}
}

func receives(a *actor) {
	a.open()
	points := keep[*ring.SPSC[point]](a)(ring.OpenSPSC[point](a.r, "points", nil))
	must(points.Get(ctx))
	must(points.Get(ctx))
	testproc.Must(keep[*ring.SPSC[uint64]](a)(ring.OpenSPSC[uint64](a.r, "back", nil)).Put(ctx, 1<<63))
	over := keep[*ring.SPSC[int16]](a)(ring.OpenSPSC[int16](a.r, "over", nil))
	testproc.Must(over.Shutdown())
	for range 2 {
		must(over.Get(ctx))
	}
	if _, err := over.Get(ctx); !errors.Is(err, io.EOF) {
		testproc.Must(fmt.Errorf("the end: %v", err))
	}
	half := keep[*ring.SPSC[int16]](a)(ring.OpenSPSC[int16](a.r, "half", nil))
	must(half.Get(ctx))
	testproc.Must(half.Shutdown())
}
