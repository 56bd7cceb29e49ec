package ring

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm/shmtest"
)

// What was dialled under the word of an earlier listener refuses itself, however late: the
// next one passes over it (A3).
func TestAcceptPassesOverWhatIsOld(t *testing.T) {
	r := shmtest.Region(t)
	ctx, cancel := context.WithCancel(testproc.Watchdog(t))
	defer cancel()
	first := testproc.Get(Listen(r, "svc", &ListenOptions{Buffer: 4096}))(t).(*listener)
	core := first.core.Handle() // of a Dial that has come to D3
	old := testproc.Get(first.home.MakeUnnamed(first.stream(ctx, core, first.word)))(t)
	testproc.OK(t, first.queue(ctx, core, first.word, engine.Dialled{Entry: old.Entry, Gen: old.Ref.Generation}))
	testproc.OK(t, first.Close())

	next := testproc.Get(Listen(r, "svc", nil))(t).(*listener)
	defer next.Close()
	dialled := make(chan *streamConn, 1)
	go func() {
		c, err := Dial(ctx, r, "svc")
		if err != nil {
			t.Errorf("Dial = %v", err)
		}
		d, _ := c.(*streamConn)
		dialled <- d
	}()
	a := testproc.Get(next.Accept())(t).(*streamConn)
	if a.end.core.Entry == old.Entry {
		cancel()
		t.Errorf("accepted under %#x what was dialled under %#x", next.word, first.word)
	}
	d := <-dialled
	if d != nil && d.end.core.Entry != a.end.core.Entry {
		t.Error("what was accepted is not what was dialled")
	}
	if x := mem.Load64(old.Area.W64(136)); x != 0 { // docs/layout.md
		t.Errorf("what was dialled before has the answer %#x", x)
	}
	first.home.CloseUnnamed(old, true)
	core.Close()
	a.Close()
	if d != nil {
		d.Close()
	}
}

// The listener's word changes when nobody here takes from the backlog any more (K2, C0).
func TestListenerClosesAfterItsAccepts(t *testing.T) {
	l := testproc.Get(Listen(shmtest.Region(t), "svc", nil))(t).(*listener)
	l.mu.Lock() // an Accept has it
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	buf := make([]byte, 1<<20)
	waits := func() bool {
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "(*Mutex).lockSlow") && strings.Contains(g, "(*listening).close") {
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(testproc.Patience); !waits() && len(closed) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("Close neither waits nor is over:\n%s", buf[:runtime.Stack(buf, true)])
		}
	}
	if is := engine.ListenerWord(l.core.Area); is != l.word {
		t.Errorf("the word is %#x beside an Accept, was %#x", is, l.word)
	}
	l.mu.Unlock()
	testproc.OK(t, <-closed)
	if is := engine.ListenerWord(l.core.Area); is == l.word {
		t.Errorf("the word is %#x after Close", is)
	}
}
