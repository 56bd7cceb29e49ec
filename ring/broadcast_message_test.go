package ring_test

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm/shmtest"
)

// A message that does not decode counts as seen, and what was missed before it is told later.
func TestBroadcastUndecoded(t *testing.T) {
	ctx := context.Background()
	b := testproc.Get(ring.OpenBroadcast[string](shmtest.Region(t), "b", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 2, Codec: picky{}}))(t)
	s := testproc.Get(b.Subscribe())(t)
	for _, v := range []string{"a", "b", "bad", "c"} {
		testproc.OK(t, b.Publish(ctx, v))
	}
	if _, missed, err := s.Next(ctx); !errors.Is(err, ring.ErrCodec) || missed != 0 {
		t.Error(missed, err)
	}
	if v, missed, err := s.Next(ctx); err != nil || v != "c" || missed != 2 {
		t.Error(v, missed, err)
	}
	if err := b.Publish(ctx, "refused"); !errors.Is(err, ring.ErrCodec) {
		t.Error(err)
	}
}

type picky struct{}

func (picky) Name() string { return "picky" }

func (picky) Append(dst []byte, v any) ([]byte, error) {
	if v.(string) == "refused" {
		return nil, errors.New("refused")
	}
	return append(dst, v.(string)...), nil
}

func (picky) Decode(src []byte, v any) error {
	if string(src) == "bad" {
		return errors.New("bad")
	}
	*v.(*string) = string(src)
	return nil
}

func TestBroadcastAllYields(t *testing.T) {
	ctx := context.Background()
	b := testproc.Get(ring.OpenBroadcast[int](shmtest.Region(t), "b", nil))(t)
	s := testproc.Get(b.Subscribe())(t)
	for i := range 10 {
		testproc.OK(t, b.Publish(ctx, i))
	}
	testproc.OK(t, b.Shutdown())
	n := 0
	for v, err := range s.All(ctx) {
		if err != nil || v != n {
			t.Error(v, err)
		}
		n++
	}
	if n != 10 {
		t.Error(n)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	n = 0
	for _, err := range s.All(cancelled) {
		if n++; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Error(n)
	}
}
