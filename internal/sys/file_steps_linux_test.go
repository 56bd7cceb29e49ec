package sys

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// Where a signal comes in the middle of every long call, short ones get all that is wanted,
// once, and in order.
func TestInSteps(t *testing.T) {
	page := int64(PageSize())
	for _, n := range []int64{1, page, 10 * page, 10*page + 3, 1000 * page} {
		for _, most := range []int64{1, 3, 7, 5000} { // pages that are done before a signal comes
			at, calls := 5*page, 0
			err := inSteps(at, n, func(off, n int64) error {
				if calls++; calls > 10000 {
					t.Fatal("it does not end")
				}
				if off != at {
					t.Fatalf("at %d, want %d", off, at)
				}
				if n > most*page {
					return unix.EINTR
				}
				at += n
				return nil
			})
			if err != nil || at != 5*page+n {
				t.Errorf("%d bytes, %d pages at a time: up to %d, %v", n, most, at-5*page, err)
			}
		}
	}
	if err := inSteps(0, page, func(int64, int64) error { return unix.ENOSPC }); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("without room: %v", err)
	}
}
