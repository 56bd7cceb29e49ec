package ring

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

type hookCodec struct{ decoding func() }

func (*hookCodec) Name() string                             { return "hook" }
func (*hookCodec) Append(dst []byte, v any) ([]byte, error) { return append(dst, v.(string)...), nil }
func (h *hookCodec) Decode(src []byte, v any) error {
	if f := h.decoding; f != nil {
		f()
	}
	*v.(*string) = string(src)
	return nil
}

// A message that is being leased while its handle is closed goes to another,
// and not to nobody, wherever in Close that is.
func TestLeaseInTheMiddleOfClose(t *testing.T) {
	r, ctx := shmtest.Region(t), context.Background()
	c := &hookCodec{}
	open := func() *Queue[string] {
		q, err := OpenQueue[string](r, "q", &QueueOptions{Codec: c})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	q, other := open(), open()
	if err := q.Put(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	c.decoding = func() { q.core.Closed.Store(true) } // Core.Close has come so far
	_, err := q.Lease(ctx)
	c.decoding = nil
	q.Close() // and goes on
	if !errors.Is(err, shm.ErrClosed) {
		t.Fatalf("Lease = %v, want ErrClosed", err)
	}
	if d, err := other.TryLease(); err != nil {
		t.Fatalf("TryLease of another handle = %v: the message is nobody's", err)
	} else {
		d.Ack()
	}
}
