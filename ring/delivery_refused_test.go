package ring

import (
	"errors"
	"testing"

	"example.com/tandem/shm"
)

// A region is closed, and the kernel refuses the zeroes that are to come in its place. A
// Lease that finds that its message came from there gives it back: it is in the region.
func TestLeaseOfRefusedZeroes(t *testing.T) {
	r, err := shm.Anonymous(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	q, err := OpenQueue[map[string]int](r, "q", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.TryPut(map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	s, err := q.eng.Take(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	q.core.Gate.Shut()
	q.core.Gate.Replace(func() error { return errors.New("refused") })
	var d Delivery[map[string]int]
	if err := q.leased(opLease, s, &d); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Lease = %v", err)
	}
	if _, err := q.eng.Take(nil, true); err != nil {
		t.Errorf("the message is lost: %v", err)
	}
}
