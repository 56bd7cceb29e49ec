package ring_test

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

func TestMismatch(t *testing.T) {
	r := region(t)
	open[pair](t, r, "q", &ring.QueueOptions{Capacity: 7})
	open[string](t, r, "s", &ring.QueueOptions{MaxMessage: 100, Buffer: 1000})
	open[job](t, r, "j", nil)
	try := func(_ any, err error) error { return err }
	for _, tt := range []struct {
		name string
		err  error
		want []string
	}{
		{"capacity", try(ring.OpenQueue[pair](r, "q", &ring.QueueOptions{Capacity: 8})), []string{"capacity", "8", "7"}},
		{"field", try(ring.OpenQueue[struct{ A, C int64 }](r, "q", nil)), []string{"B", "C"}},
		{"form", try(ring.OpenQueue[string](r, "q", nil)), []string{"codec", "text", "plain"}},
		{"buffer", try(ring.OpenQueue[string](r, "s", &ring.QueueOptions{Buffer: 2000})), []string{"buffer", "2000", "1000"}},
		{"max message", try(ring.OpenQueue[string](r, "s", &ring.QueueOptions{MaxMessage: 50})), []string{"max message", "50", "100"}},
		{"codec", try(ring.OpenQueue[job](r, "j", &ring.QueueOptions{Codec: reverse{}})), []string{"codec", "reverse", "cbor"}},
		{"message", try(ring.OpenQueue[struct{ URL string }](r, "j", nil)), []string{"Depth"}},
	} {
		if !errors.Is(tt.err, shm.ErrMismatch) {
			t.Errorf("%s: %v", tt.name, tt.err)
			continue
		}
		for _, w := range tt.want {
			if !strings.Contains(tt.err.Error(), w) {
				t.Errorf("%s: %v does not tell %q", tt.name, tt.err, w)
			}
		}
	}
	for _, o := range []ring.QueueOptions{{}, {Capacity: 7}} {
		if _, err := ring.OpenQueue[pair](r, "q", &o); err != nil {
			t.Error(err)
		}
	}
	if _, err := ring.OpenQueue[pair](r.Existing(), "p", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a typo under Existing: %v", err)
	}
	for _, o := range []ring.QueueOptions{{Capacity: -1}, {Buffer: -1}, {MaxMessage: -1}, {Buffer: 10, MaxMessage: 6}, {Wait: 3}} {
		if _, err := ring.OpenQueue[string](r, "new", &o); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := ring.OpenQueue[job](r, "new", &ring.QueueOptions{Capacity: 1 << 28}); !errors.Is(err, shm.ErrNoSpace) {
		t.Errorf("a huge capacity: %v", err)
	}
}

func TestClosed(t *testing.T) {
	each(t, func(t *testing.T, q queue) {
		r := region(t)
		q = q.new(t, r, &ring.QueueOptions{Capacity: 2})
		if err := q.tryPut(1); err != nil {
			t.Fatal(err)
		}
		d, err := q.lease(watchdog(t))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := q.get(watchdog(t)); !errors.Is(err, shm.ErrClosed) {
					t.Errorf("blocked Get = %v", err)
				}
			})
			wg.Go(func() {
				if err := q.join(watchdog(t)); !errors.Is(err, shm.ErrClosed) {
					t.Errorf("blocked Join = %v", err)
				}
			})
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		_, get := q.tryGet()
		for _, err := range []error{q.tryPut(1), q.put(watchdog(t), 1), get, d.ack(), q.taskDone(), q.shutdown(), q.join(watchdog(t))} {
			if !errors.Is(err, shm.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		}
		if q.len() != 0 || q.cap() != 2 {
			t.Errorf("Len %d, Cap %d", q.len(), q.cap())
		}
	})
}

func TestErrorsNameWhatWasTried(t *testing.T) {
	r := region(t)
	q := open[pair](t, r, "jobs", &ring.QueueOptions{Capacity: 1})
	_, err := q.TryGet()
	var e *shm.Error
	if !errors.As(err, &e) || e.Op != "queue.TryGet" || e.Object != "jobs" || e.Region != r.Name() {
		t.Errorf("%#v", err)
	}
}
