package engine

import (
	"slices"
	"testing"
)

// Who looks twice sees the same in the same order: by what is held, and by whom.
func TestQueueLooksInOrder(t *testing.T) {
	a, q := heapQueue(t, lending)
	const each = 3
	for i := uint32(each); i > 0; i-- {
		env := q.env
		env.Self = Self{i - 1, 1}
		q, err := AttachQueue(a, env)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := q.Put(nil, []byte("message")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := q.Take(nil, true); err != nil {
			t.Fatal(err)
		}
		if _, _, err := q.get(nil); err != nil {
			t.Fatal(err)
		}
	}
	var want []Holding
	for _, what := range []string{"lease", "not done"} {
		for i := range uint32(each) {
			want = append(want, Holding{Who: Self{i, 1}, What: what, N: 1})
		}
	}
	for range 20 {
		if got := lookQueue(a).Holders; !slices.Equal(got, want) {
			t.Fatalf("it is shown as %v, want %v", got, want)
		}
	}
}
