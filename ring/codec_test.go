package ring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// reverse is a codec for strings.
type reverse struct{}

var errRefused = errors.New("refused")

func (reverse) Name() string { return "reverse" }

func (reverse) Append(dst []byte, v any) ([]byte, error) {
	s, ok := v.(string)
	if !ok || s == "refuse me" {
		return dst, errRefused
	}
	b := []byte(s)
	slices.Reverse(b)
	return append(dst, b...), nil
}

func (reverse) Decode(src []byte, v any) error {
	b := bytes.Clone(src)
	slices.Reverse(b)
	if string(b) == "poison" {
		return errRefused
	}
	*v.(*string) = string(b)
	return nil
}

func TestCodec(t *testing.T) {
	r := region(t)
	q := open[string](t, r, "q", &ring.QueueOptions{Codec: reverse{}})
	for _, s := range []string{"abc", "", strings.Repeat("long ", 1000)} {
		if err := q.TryPut(s); err != nil {
			t.Fatal(err)
		}
		if got, err := q.TryGet(); err != nil || got != s || q.TaskDone() != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	// Q12: what does not encode is not put.
	if err := q.TryPut("refuse me"); !errors.Is(err, ring.ErrCodec) || !errors.Is(err, errRefused) || q.Len() != 0 {
		t.Errorf("%v, Len %d", err, q.Len())
	}
	// What does not decode is told once, is gone, and is nobody's to do.
	for _, take := range []func() error{
		func() error { _, err := q.TryGet(); return err },
		func() error { _, err := q.TryLease(); return err },
	} {
		if err := errors.Join(q.TryPut("poison"), q.TryPut("next")); err != nil {
			t.Fatal(err)
		}
		if err := take(); !errors.Is(err, ring.ErrCodec) || !errors.Is(err, errRefused) {
			t.Error(err)
		}
		if got, err := q.TryGet(); got != "next" || err != nil || q.TaskDone() != nil {
			t.Errorf("%q, %v", got, err)
		}
		if err := q.Join(watchdog(t)); err != nil {
			t.Error(err)
		}
		if err := q.TaskDone(); !errors.Is(err, ring.ErrOverDone) {
			t.Error(err)
		}
	}
	if err := errors.Join(q.TryPut("a"), q.TryPut("poison"), q.TryPut("b"), q.Shutdown()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for s, err := range q.All(watchdog(t)) {
		if err != nil {
			s = "error"
		}
		got = append(got, s)
	}
	if !slices.Equal(got, []string{"a", "error", "b"}) {
		t.Errorf("All yields %q", got)
	}
}

type named struct{ reverse }

func (named) Name() string { return "cbor" }

func TestRefused(t *testing.T) {
	r := region(t)
	type inner struct{ hidden []int }
	_, err := ring.OpenQueue[struct {
		Name string
		In   []inner
	}](r, "q", nil)
	if !errors.Is(err, ring.ErrCodec) || !strings.Contains(err.Error(), "In[].hidden") {
		t.Errorf("unexported: %v", err)
	}
	_ = inner{}.hidden
	if _, err := ring.OpenQueue[func()](r, "q", nil); !errors.Is(err, ring.ErrCodec) {
		t.Errorf("func: %v", err)
	}
	if _, err := ring.OpenQueue[string](r, "q", &ring.QueueOptions{Codec: named{}}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a codec that takes a name: %v", err)
	}
}

func TestHandleTravels(t *testing.T) {
	r := region(t)
	plain, text, own, cbor := open[pair](t, r, "p", &ring.QueueOptions{Capacity: 5}), open[string](t, r, "t", nil),
		open[string](t, r, "o", &ring.QueueOptions{Codec: reverse{}}), open[job](t, r, "c", nil)
	if err := errors.Join(plain.TryPut(pair{1, 2}), text.TryPut("x"), own.TryPut("abc"), cbor.TryPut(job{URL: "y"})); err != nil {
		t.Fatal(err)
	}
	travel := func(from interface{ MarshalBinary() ([]byte, error) }, to interface{ UnmarshalBinary([]byte) error }) error {
		b, err := from.MarshalBinary()
		if err != nil {
			return err
		}
		return to.UnmarshalBinary(b)
	}
	var p ring.Queue[pair]
	var s, o ring.Queue[string]
	var c ring.Queue[job]
	if err := errors.Join(travel(plain, &p), travel(text, &s), travel(own, &o), travel(cbor, &c)); err != nil {
		t.Fatal(err)
	}
	if v, err := p.TryGet(); v != (pair{1, 2}) || err != nil || p.Cap() != 5 {
		t.Error(v, err)
	}
	if v, err := s.TryGet(); v != "x" || err != nil {
		t.Error(v, err)
	}
	if v, err := o.TryGet(); v != "abc" || err != nil {
		t.Error(v, err)
	}
	if v, err := c.TryGet(); v.URL != "y" || err != nil {
		t.Error(v, err)
	}
	if err := travel(plain, &s); err == nil {
		t.Error("a handle arrived with another T")
	}
	if _, err := (&ring.Queue[pair]{}).MarshalBinary(); err == nil {
		t.Error("a zero handle travels")
	}
}

// says is a codec that fails with what it is told to.
type says struct{ in, out error }

func (says) Name() string { return "says" }

func (c says) Append(dst []byte, v any) ([]byte, error) { return append(dst, 1), c.in }
func (c says) Decode(src []byte, v any) error           { return c.out }

// What a codec fails with says nothing of the queue: its io.EOF is not the end.
func TestCodecErrorsAreItsOwn(t *testing.T) {
	for _, err := range []error{io.EOF, fmt.Errorf("short: %w", io.EOF), shm.ErrClosed, ring.ErrEmpty, ring.ErrFull, ring.ErrShutdown} {
		r := region(t)
		in, out := open[string](t, r, "in", &ring.QueueOptions{Codec: says{in: err}}), open[string](t, r, "out", &ring.QueueOptions{Codec: says{out: err}})
		if got := in.TryPut("x"); !errors.Is(got, ring.ErrCodec) || errors.Is(got, err) || !strings.Contains(got.Error(), err.Error()) {
			t.Errorf("Put whose codec says %v = %v", err, got)
		}
		for range 4 {
			if err := out.TryPut("x"); err != nil {
				t.Fatal(err)
			}
		}
		var told []error
		for _, err := range out.All(watchdog(t)) {
			if told = append(told, err); len(told) == 2 {
				break
			}
		}
		for _, err := range out.Leases(watchdog(t)) {
			if told = append(told, err); len(told) == 4 {
				break
			}
		}
		for _, got := range told {
			if !errors.Is(got, ring.ErrCodec) || errors.Is(got, err) {
				t.Errorf("Get whose codec says %v = %v", err, got)
			}
		}
		if len(told) != 4 {
			t.Errorf("with a codec that says %v loops tell of %d of 4 messages", err, len(told))
		}
	}
}

// touchy is an error that cannot be asked what it is.
type touchy struct{}

func (touchy) Error() string { return "touchy" }
func (touchy) Is(error) bool { panic("touchy") }

// spiteful decodes nothing.
type spiteful struct{ reverse }

func (spiteful) Name() string             { return "spiteful" }
func (spiteful) Decode([]byte, any) error { return touchy{} }

// A decoder's error that panics when it is looked at is a decoder that panics: the message is
// gone, and nobody waits for it.
func TestDecodersErrorPanics(t *testing.T) {
	q := open[string](t, region(t), "q", &ring.QueueOptions{Codec: spiteful{}})
	for name, take := range map[string]func(){
		"Get":     func() { q.Get(bg) },
		"GetInto": func() { q.GetInto(bg, new(string)) },
		"Lease":   func() { q.Lease(bg) },
	} {
		if err := q.TryPut("x"); err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if recover() != "touchy" {
					t.Errorf("%s did not panic", name)
				}
			}()
			take()
		}()
		ctx, cancel := context.WithTimeout(bg, testproc.Patience)
		if err := q.Join(ctx); err != nil || q.Len() != 0 {
			t.Errorf("%s: Join = %v, Len %d", name, err, q.Len())
		}
		cancel()
	}
}
