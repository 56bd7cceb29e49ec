package ring

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// A hooked codec is that of []byte, with something to do at a decoding.
type hooked struct{ decoding func() }

func (*hooked) Name() string                             { return "hooked" }
func (*hooked) Append(dst []byte, v any) ([]byte, error) { return append(dst, v.(string)...), nil }
func (h *hooked) Decode(src []byte, v any) error {
	if f := h.decoding; f != nil {
		f()
	}
	*v.(*string) = string(src)
	return nil
}

// A message that is being leased while its handle is closed goes to another, and
// not to nobody: when Close is over by then, and when it has come half way.
func TestLeaseOfAHandleThatIsClosed(t *testing.T) {
	for name, closed := range map[string]func(q *Queue[string]){
		"over":     func(q *Queue[string]) { q.Close() },
		"half way": func(q *Queue[string]) { q.core.Closed.Store(true) },
	} {
		t.Run(name, func(t *testing.T) { leaseWhile(t, closed) })
	}
}

func leaseWhile(t *testing.T, closed func(q *Queue[string])) {
	r, ctx := shmtest.Region(t), context.Background()
	c := &hooked{}
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
	c.decoding = func() { closed(q) }
	if _, err := q.Lease(ctx); !errors.Is(err, shm.ErrClosed) {
		t.Fatalf("Lease = %v, want ErrClosed", err)
	}
	c.decoding = nil
	q.Close()
	d, err := other.TryLease()
	if err != nil || d.Value() != "x" || d.Attempt() != 2 {
		t.Fatalf("TryLease of another handle = %v, attempt %d, %v", d.Value(), d.Attempt(), err)
	}
	if err := d.Ack(); err != nil {
		t.Error(err)
	}
}
