package ring_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// wild is a T whose own code does what it says.
type wild struct{ says string }

const (
	panics = "panic"
	exits  = "exit"
	none   = "none"
)

var errWild = errors.New("wild")

func (w *wild) UnmarshalBinary(b []byte) error {
	w.says = string(b)
	act(strings.TrimSpace(w.says))
	return nil
}

func (w *wild) MarshalBinary() ([]byte, error) {
	if how, ok := strings.CutPrefix(w.says, "put "); ok {
		act(how)
	}
	return []byte(w.says), nil
}

func act(how string) {
	switch how {
	case panics:
		panic(errWild)
	case exits:
		runtime.Goexit()
	}
}

// wildCodec is the same as a codec.
type wildCodec struct{}

func (wildCodec) Name() string { return "wild" }
func (wildCodec) Append(dst []byte, v any) ([]byte, error) {
	w := v.(wild)
	b, err := w.MarshalBinary()
	return append(dst, b...), err
}
func (wildCodec) Decode(src []byte, v any) error { return v.(*wild).UnmarshalBinary(src) }

// wanted is how testproc.EndOf sees what ends so.
func wanted(how string) any {
	switch how {
	case panics:
		return errWild
	case exits:
		return testproc.Exit
	}
	return nil
}

// A decoder that does not return: the message is gone and counts as done, so
// the end of the queue comes, and Join; and the caller's panic is the decoder's.
func TestDecoderPanics(t *testing.T) {
	takes := []struct {
		name string
		take func(q *ring.Queue[wild]) error
	}{
		{"Get", func(q *ring.Queue[wild]) error { _, err := q.Get(t.Context()); return err }},
		{"TryGet", func(q *ring.Queue[wild]) error { _, err := q.TryGet(); return err }},
		{"GetBatch", func(q *ring.Queue[wild]) error { _, err := q.GetBatch(t.Context(), make([]wild, 2)); return err }},
		{"All", func(q *ring.Queue[wild]) error {
			for range q.All(t.Context()) {
				break
			}
			return nil
		}},
		{"Lease", func(q *ring.Queue[wild]) error { _, err := q.Lease(t.Context()); return err }},
		{"TryLease", func(q *ring.Queue[wild]) error { _, err := q.TryLease(); return err }},
		{"Leases", func(q *ring.Queue[wild]) error {
			for range q.Leases(t.Context()) {
				break
			}
			return nil
		}},
	}
	for _, o := range []struct {
		name string
		ring.QueueOptions
	}{
		{"cbor", ring.QueueOptions{Capacity: 2}},
		{"codec", ring.QueueOptions{Capacity: 2, Codec: wildCodec{}}},
	} {
		t.Run(o.name, func(t *testing.T) {
			r := region(t)
			for _, tt := range takes {
				for _, how := range []string{panics, exits, panics + strings.Repeat(" ", 8<<10)} {
					want := wanted(strings.TrimSpace(how))
					q := open[wild](t, r, "q", &o.QueueOptions)
					if err := errors.Join(q.TryPut(wild{how}), q.TryPut(wild{"next"}), q.Shutdown()); err != nil {
						t.Fatal(err)
					}
					var err error
					if got := testproc.EndOf(func() { err = tt.take(q) }); got != want {
						t.Fatalf("%s of one that does %.9q: %v, %v", tt.name, how, got, err)
					}
					if err := q.TaskDone(); !errors.Is(err, ring.ErrOverDone) {
						t.Errorf("TaskDone after %s: %v", tt.name, err)
					}
					d, err := q.Lease(watchdog(t))
					if err != nil || d.Value().says != "next" || d.Ack() != nil {
						t.Errorf("the next one after %s: %+v, %v", tt.name, d.Value(), err)
					}
					if _, err := q.TryGet(); !errors.Is(err, io.EOF) {
						t.Errorf("%s of one that does %.9q: the end does not come: %v", tt.name, how, err)
					} else if err := q.Join(watchdog(t)); err != nil {
						t.Error(err)
					}
					if err := r.Remove("q"); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// An encoder that does not return has put nothing, and holds nothing.
func TestEncoderPanics(t *testing.T) {
	for name, o := range map[string]*ring.QueueOptions{"cbor": {Capacity: 1}, "codec": {Capacity: 1, Codec: wildCodec{}}} {
		t.Run(name, func(t *testing.T) {
			q := open[wild](t, region(t), "q", o)
			for _, how := range []string{panics, exits} {
				for name, put := range map[string]func(wild) error{
					"Put":      func(w wild) error { return q.Put(t.Context(), w) },
					"TryPut":   q.TryPut,
					"PutBatch": func(w wild) error { _, err := q.PutBatch(t.Context(), []wild{w}); return err },
				} {
					if got := testproc.EndOf(func() { put(wild{"put " + how}) }); got != wanted(how) {
						t.Errorf("%s ends with %v, want %v", name, got, wanted(how))
					}
					if q.Len() != 0 {
						t.Errorf("%s has put %d messages", name, q.Len())
					}
				}
			}
			if err := q.TryPut(wild{"next"}); err != nil {
				t.Error(err)
			}
			if w, err := q.TryGet(); err != nil || w.says != "next" || q.TaskDone() != nil {
				t.Error(w, err)
			}
			if err := q.Join(watchdog(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// The body of a loop over Leases: a panic gives its message back, as a death
// would; break keeps it, and what was ended stays ended.
func TestLeasesBodyPanics(t *testing.T) {
	for _, how := range []string{panics, exits, none} {
		q := open[string](t, region(t), "q", nil)
		if err := errors.Join(q.TryPut("a"), q.TryPut("b"), q.Shutdown()); err != nil {
			t.Fatal(err)
		}
		for _, ended := range []bool{false, true} {
			var held ring.Delivery[string]
			got := testproc.EndOf(func() {
				for d, err := range q.Leases(watchdog(t)) {
					if err != nil {
						t.Error(err)
					}
					if held = d; ended {
						if err := d.Ack(); err != nil {
							t.Error(err)
						}
					}
					act(how)
					break
				}
			})
			if got != wanted(how) {
				t.Fatalf("the loop ends with %v, want %v", got, wanted(how))
			}
			if err := held.Ack(); (err == nil) != (how == none && !ended) || err != nil && !errors.Is(err, shm.ErrNotOwner) {
				t.Fatalf("after a body that does %q, ended %v: Ack = %v", how, ended, err)
			}
			if how != none && !ended {
				d, err := q.TryLease()
				if err != nil || d.Value() != "a" || d.Attempt() != 2 || d.Ack() != nil {
					t.Errorf("after a body that does %q: %q, attempt %d, %v", how, d.Value(), d.Attempt(), err)
				}
			}
		}
		if _, err := q.TryLease(); !errors.Is(err, io.EOF) {
			t.Errorf("after a body that does %q: %v", how, err)
		} else if err := q.Join(watchdog(t)); err != nil {
			t.Error(err)
		}
	}
}
