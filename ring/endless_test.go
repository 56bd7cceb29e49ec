package ring_test

import (
	"errors"
	"strings"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/ring"
)

type (
	chain struct {
		V    int
		Next *chain
	}
	both struct{ Left, Right *both }
)

func chainOf(n int) *chain {
	var c *chain
	for i := range n {
		c = &chain{i, c}
	}
	return c
}

// A message that has no end is not put, nor is one whose parts are shared so
// often that writing it out would take for ever.
func TestPutEndless(t *testing.T) {
	r := region(t)
	o := &ring.QueueOptions{Capacity: 1, MaxMessage: 4 << 20, Buffer: 8 << 20}
	chains, any1, trees := open[chain](t, r, "chains", o), open[any](t, r, "any", o), open[*both](t, r, "trees", nil)
	loop := chainOf(3)
	loop.Next.Next.Next = loop
	m := map[string]any{}
	m["m"] = m
	tree := &both{}
	for range 100 {
		tree = &both{tree, tree}
	}
	for name, tt := range map[string]struct {
		put   []error
		large bool
	}{
		"a loop": {[]error{chains.Put(t.Context(), *loop), chains.TryPut(*loop), any1.TryPut(loop)}, false},
		"a map":  {[]error{any1.TryPut(m), any1.Put(t.Context(), []any{m})}, false},
		"shared": {[]error{trees.TryPut(tree), any1.TryPut(tree)}, true},
		"a key":  {[]error{any1.TryPut(map[any]int{chain{}: 1})}, false},
		"one of": {[]error{any1.TryPut(map[any]string{1: "a", uint8(1): "b"}), any1.TryPut(errors.New("unexported"))}, false},
		"long":   {[]error{any1.TryPut([]string{strings.Repeat("x", 5<<20)})}, true},
	} {
		for i, err := range tt.put {
			if !errors.Is(err, ring.ErrCodec) || errors.Is(err, ring.ErrTooLarge) != tt.large {
				t.Errorf("%s, %d: %v", name, i, err)
			}
		}
	}
	if n := chains.Len() + trees.Len() + any1.Len(); n != 0 {
		t.Fatalf("%d messages were put", n)
	}
	if n, err := any1.PutBatch(t.Context(), []any{1, m}); n != 1 || !errors.Is(err, ring.ErrCodec) || any1.Len() != 1 {
		t.Errorf("PutBatch of one that fits and one that does not = %d, %v, Len %d", n, err, any1.Len())
	}
}

// A message that is too deep to be got is not put, and one that is not, is got.
func TestPutDeep(t *testing.T) {
	if mem.RaceEnabled {
		t.Skip("nothing here is shared, and deep stacks take the race detector a minute")
	}
	chains := open[chain](t, region(t), "chains", &ring.QueueOptions{Capacity: 1, MaxMessage: 4 << 20, Buffer: 8 << 20})
	if err := chains.TryPut(*chainOf(70_000)); !errors.Is(err, ring.ErrCodec) || errors.Is(err, ring.ErrTooLarge) || chains.Len() != 0 {
		t.Errorf("Put of a chain of 70,000 = %v, Len %d", err, chains.Len())
	}
	const most = 60_000
	if err := chains.TryPut(*chainOf(most)); err != nil {
		t.Fatal(err)
	}
	c, err := chains.TryGet()
	n := 0
	for at := &c; at != nil; at = at.Next {
		n++
	}
	if err != nil || n != most {
		t.Errorf("a chain of %d is got as one of %d: %v", most, n, err)
	}
}
