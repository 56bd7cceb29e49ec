package sys

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where there are no robust lists the error says so; silenced there is none.
func TestRobustLists(t *testing.T) {
	p, err := Reserve(uintptr(PageSize()))
	if err != nil {
		t.Fatal(err)
	}
	defer Unmap(p, uintptr(PageSize()))
	if err := MapZeroes(p, uintptr(PageSize())); err != nil {
		t.Fatal(err)
	}
	head := (*RobustHead)(p)
	head.Next = unsafe.Pointer(head)

	was := forced
	defer func() { forced = was }()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, tt := range []struct {
		forced string
		may    bool // fail, which here and now is left to the system
		must   bool
	}{
		{"", true, false},
		{"silenced", false, false},
		{"norobust", true, true},
	} {
		forced = []string{tt.forced}
		err := SetRobustList(head)
		if err == nil && tt.must || err != nil && !tt.may {
			t.Errorf("%q: SetRobustList = %v", tt.forced, err)
		}
		if err != nil && (!errors.Is(err, unix.ENOSYS) || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "no robust futexes (set_robust_list)")) {
			t.Errorf("%q: SetRobustList = %q, which does not say what is missing", tt.forced, err)
		}
		if err == nil {
			if err := SetRobustList(nil); err != nil {
				t.Errorf("%q: taken back: %v", tt.forced, err)
			}
		}
	}
}
