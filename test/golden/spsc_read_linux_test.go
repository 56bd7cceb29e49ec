package golden

import (
	"io"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// The sides of those who were killed are to be had, where they were.
func TestReadSPSC(t *testing.T) {
	r := openImage(t, "spsc").Existing()
	ctx := testproc.Watchdog(t)

	points := check(ring.OpenSPSC[point](r, "points", nil))(t)
	want(t, "points", points.Len(), 3)
	wantErr(t, "one more point", points.TryPut(point{}), ring.ErrFull)
	for i := range 3 {
		want(t, "point", check(points.Get(ctx))(t), point{float32(3 + i), float32(-3 - i)})
	}
	want(t, "Put", points.Put(ctx, point{6, -6}), nil)
	want(t, "point 6", check(points.Get(ctx))(t), point{6, -6})

	want(t, "back", check(check(ring.OpenSPSC[uint64](r, "back", nil))(t).Get(ctx))(t), uint64(1<<63))
	_, err := check(ring.OpenSPSC[int16](r, "over", nil))(t).Get(ctx)
	wantErr(t, "over", err, io.EOF)

	half := check(ring.OpenSPSC[int16](r, "half", nil))(t)
	want(t, "half", half.Cap(), 1024)
	wantErr(t, "Put", half.Put(ctx, 1), ring.ErrShutdown)
	want(t, "half 8", check(half.Get(ctx))(t), int16(8))
	want(t, "half 9", check(half.Get(ctx))(t), int16(9))
	_, err = half.Get(ctx)
	wantErr(t, "the end of half", err, io.EOF)
}
