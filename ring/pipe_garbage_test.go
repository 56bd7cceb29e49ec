package ring_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// holdUpCleanups has the process's cleanups wait, from when it returns until release is
// called, as those of a program do that blocks in one.
func holdUpCleanups(t *testing.T) (release func()) {
	begun, over := make(chan bool), make(chan bool)
	runtime.AddCleanup(new([1]*int), func(int) {
		close(begun)
		<-over
	}, 0)
	for {
		runtime.GC()
		select {
		case <-begun:
			return func() { close(over) }
		case <-time.After(time.Millisecond):
		}
	}
}

// Pipes that come and go take each other's memory, also when the program's cleanups do not
// get to run.
func TestPipeClosedIsGarbage(t *testing.T) {
	r, err := shm.Anonymous(&shm.Options{Size: 4 << 20})
	testproc.OK(t, err)
	defer r.Close()
	release := holdUpCleanups(t)
	defer release()
	for range 100 { // of which some 20 have room
		left, right := bothEnds[int](t, r, "pipe", nil)
		testproc.OK(t, left.Close())
		testproc.OK(t, right.Close())
	}
	for range 100 {
		b, err := ring.OpenBroadcast[[]byte](r, "broadcast", &ring.BroadcastOptions{Capacity: 1 << 10})
		testproc.OK(t, err)
		s, err := b.Subscribe()
		testproc.OK(t, err)
		testproc.OK(t, s.Close())
		testproc.OK(t, b.Close())
		testproc.OK(t, r.Remove("broadcast"))
	}
	for n := range 100 {
		l, err := ring.Listen(r, "listener", &ring.ListenOptions{Backlog: 1000 + n%2})
		testproc.OK(t, err)
		testproc.OK(t, l.Close())
	}
}

// A pipe that is made anew may take more than half of the region, of which the one before it has
// as much.
func TestMadeAnewInItsPlace(t *testing.T) {
	r, err := shm.Anonymous(&shm.Options{Size: 4 << 20})
	testproc.OK(t, err)
	defer r.Close()
	for n := range 3 {
		left, right := bothEnds[[]byte](t, r, "pipe", &ring.PipeOptions{Buffer: 1<<20 + n})
		testproc.OK(t, left.Close())
		testproc.OK(t, right.Close())
	}
}

// What nobody closed is garbage, too, once its cleanup has run, for which Open waits.
func TestPipeDroppedIsGarbage(t *testing.T) {
	r, err := shm.Anonymous(&shm.Options{Size: 4 << 20})
	testproc.OK(t, err)
	defer r.Close()
	release := holdUpCleanups(t)
	time.AfterFunc(50*time.Millisecond, release)
	for end := time.Now().Add(testproc.Patience); ; {
		for n := range 100 {
			begun := time.Now()
			left, err := ring.OpenPipe[int](r, "pipe", ring.Left, nil)
			if errors.Is(err, shm.ErrNoSpace) && time.Since(begun) > 400*time.Millisecond && begun.Before(end) {
				break // they were held up for longer than Open waits
			}
			testproc.OK(t, err)
			runtime.KeepAlive(left)
			testproc.OK(t, r.Remove("pipe"))
			if n == 99 {
				return
			}
		}
	}
}
