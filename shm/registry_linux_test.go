package shm

import (
	"bytes"
	"errors"
	"runtime"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

// lingerer: path. Is about to leave the region, for as long as it hears nothing.
var lingerer = testproc.Role("lingerer", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	self := r.a.self
	r.a.rec(self.Index).Move(region.RecordWord(self.Epoch, region.StAlive), region.RecordWord(self.Epoch, region.StLeaving))
	testproc.Say("leaving")
	testproc.Hear()
	testproc.Must(r.Close())
	testproc.Say("left")
})

// Who waits for a place in a region keeps nobody from another, and those who look for
// the region itself wait with it.
func TestAttachingAlone(t *testing.T) {
	defer func(d time.Duration) { placeLimit = d }(placeLimit)
	placeLimit = testproc.Patience
	r, path := newRegion(t, &Options{Participants: 1})
	key := r.a.key()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c := lingerer.Start(t, path)
	c.Expect("leaving")
	type result struct {
		r   *Region
		err error
	}
	opened, found := make(chan result, 1), make(chan result, 1)
	go func() {
		r, err := Open(path, nil)
		opened <- result{r, err}
	}()
	untilIn(t, "takeRecord")
	other, otherPath := newRegion(t, nil)
	again := testproc.Get(Open(otherPath, nil))(t)
	byKey := testproc.Get(RegionByKey(other.a.key()))(t)
	for _, h := range []*Region{byKey, again, other} {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case o := <-opened:
		t.Fatalf("it was not to be had, and Open returned %v", o.err)
	default:
	}
	for _, k := range []object.RegionKey{key, {ID: key.ID}} {
		go func() {
			r, err := RegionByKey(k)
			found <- result{r, err}
		}()
		untilIn(t, "awaitComing")
		if k.File == key.File {
			go func() {
				r, err := Open(path, nil)
				found <- result{r, err}
			}()
			untilIn(t, "registered")
		}
	}
	c.Say("go")
	c.Expect("left")
	first := <-opened
	all := []result{first, <-found, <-found, <-found}
	for _, o := range all {
		if o.err != nil {
			t.Fatal(o.err)
		}
		if o.r.a != first.r.a {
			t.Error("one process has two attachments")
		}
	}
	for _, o := range all {
		if err := o.r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Who waits for the place of a process that was stopped when it had all but left waits no
// longer than placeLimit, and may try again.
func TestStoppedLeaverHoldsUpNobodyForEver(t *testing.T) {
	defer func(d time.Duration) { placeLimit = d }(placeLimit)
	placeLimit = time.Millisecond
	r, path := newRegion(t, &Options{Participants: 1})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c := lingerer.Start(t, path)
	c.Expect("leaving")
	c.Freeze()
	opened := make(chan error, 1)
	go func() { opened <- closed(Open(path, nil)) }()
	select {
	case err := <-opened:
		if !errors.Is(err, ErrTooManyParticipants) {
			t.Errorf("Open = %v, want ErrTooManyParticipants", err)
		}
	case <-time.After(testproc.Patience):
		t.Error("Open waits on for the place of a process that is stopped")
	}
	c.Signal(syscall.SIGCONT)
	c.Say("go")
	c.Expect("left")
	placeLimit = testproc.Patience
	if err := closed(Open(path, nil)); err != nil {
		t.Error(err)
	}
}

// untilIn waits until a goroutine is in the function of this package.
func untilIn(t *testing.T, function string) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
		if bytes.Contains(buf[:runtime.Stack(buf, true)], []byte("."+function+"(")) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nobody is in %s", function)
		}
	}
}

// soon is until when a newcomer tries.
func soon() time.Time { return time.Now().Add(placeLimit) }
