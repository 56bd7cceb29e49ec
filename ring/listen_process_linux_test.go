package ring_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A server listens, and does what it hears.
var server = testproc.Role("server", func(args []string) {
	r := attached(args[0])
	l, err := ring.Listen(r, "svc", &ring.ListenOptions{Buffer: 4096, Backlog: 4})
	testproc.Must(err)
	testproc.Say("ready")
	var all []net.Conn
	for {
		what, ok := testproc.Hear()
		if !ok {
			return
		}
		switch what {
		case "accept":
			c, err := l.Accept()
			testproc.Must(err)
			all = append(all, c)
			testproc.Say(c.RemoteAddr())
		case "echo":
			go io.Copy(all[len(all)-1], all[len(all)-1])
			testproc.Say("echoing")
		case "serve": // until it is killed
			for {
				c, err := l.Accept()
				testproc.Must(err)
				go func() {
					io.Copy(c, c)
					c.Close()
				}()
			}
		}
	}
})

// A caller dials, and does what it hears.
var caller = testproc.Role("caller", func(args []string) {
	r := attached(args[0])
	testproc.Say("ready")
	var held []net.Conn
	for {
		what, ok := testproc.Hear()
		if !ok {
			return
		}
		switch what {
		case "dial":
			c, err := ring.Dial(bg, r, "svc")
			if err != nil {
				testproc.Say("refused", errors.Is(err, syscall.ECONNREFUSED))
				continue
			}
			testproc.Say("connected")
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		case "hold": // many connections
			for range manyEach {
				c, err := ring.Dial(bg, r, "svc")
				testproc.Must(err)
				held = append(held, c)
			}
			testproc.Say("holding")
		case "speak": // at each
			for _, c := range held {
				c.Write([]byte("hello"))
				_, err := io.ReadFull(c, make([]byte, 5))
				testproc.Must(err)
			}
			testproc.Say("spoke")
		case "close":
			for _, c := range held {
				testproc.Must(c.Close())
			}
			testproc.Say("closed")
		case "call": // until it is killed
			for {
				c, err := ring.Dial(bg, r, "svc")
				testproc.Must(err)
				c.Write([]byte("hello"))
				io.ReadFull(c, make([]byte, 5))
				c.Close()
			}
		}
	}
})

// waiting waits until so many connections are there that nobody has accepted.
func waiting(t testing.TB, r *shm.Region, n int) {
	t.Helper()
	for {
		k := 0
		for _, o := range testproc.Get(r.Snapshot())(t).Streams {
			if o.State == "not accepted" {
				k++
			}
		}
		if k == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A listener that dies: who waits in the backlog, and for room in it, is refused; who is
// connected reads what was sent, and the end. Its place is free at once.
func TestListenerDies(t *testing.T) {
	r := region(t)
	testproc.Watchdog(t)
	c := server.Start(t, r.Name())
	c.Expect("ready")
	n, used := openObjects(t, r)
	c.Say("accept")
	conn := testproc.Get(ring.Dial(bg, r, "svc"))(t)
	c.Line()
	if pid := conn.RemoteAddr().String(); !strings.HasSuffix(pid, ":"+strconv.Itoa(c.PID())) {
		t.Errorf("the peer is %s, want %d", pid, c.PID())
	}
	c.Say("echo")
	c.Expect("echoing")
	speaks(t, conn, conn, "hello")
	const dialers = 7
	errs := make(chan error, dialers)
	for range dialers {
		go func() {
			_, err := ring.Dial(bg, r, "svc")
			errs <- err
		}()
	}
	waiting(t, r, dialers)
	c.Kill()
	l := listen(t, r, "svc", nil)
	for range dialers {
		if err := <-errs; !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial = %v", err)
		}
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("Read = %d, %v, of a dead peer", n, err)
	}
	conn.Close()
	d, a := meet(t, r, "svc", l)
	speaks(t, d, a, "hello")
	d.Close()
	a.Close()
	for { // its recovery
		if m, in := openObjects(t, r); m == n && in == used {
			break
		}
		time.Sleep(time.Millisecond)
	}
}

// A listener that is stopped is not dead.
func TestListenerStopped(t *testing.T) {
	r := region(t)
	testproc.Watchdog(t)
	c := server.Start(t, r.Name())
	c.Expect("ready")
	c.Freeze()
	if _, err := ring.Listen(r, "svc", nil); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen = %v", err)
	}
	ctx, cancel := context.WithTimeout(bg, 30*time.Millisecond)
	defer cancel()
	if _, err := ring.Dial(ctx, r, "svc"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial = %v", err)
	}
	c.Signal(syscall.SIGCONT)
	c.Say("accept")
	conn := testproc.Get(ring.Dial(bg, r, "svc"))(t)
	c.Line()
	conn.Close()
}

// Dialers that die, in the backlog and before it, leave nothing; who comes after them is
// served.
func TestDialersDie(t *testing.T) {
	r := region(t)
	testproc.Watchdog(t)
	l := listen(t, r, "svc", &ring.ListenOptions{Buffer: 4096, Backlog: 4})
	n, used := openObjects(t, r)
	var dead []*testproc.Child
	for range 6 {
		c := caller.Start(t, r.Name())
		c.Expect("ready")
		c.Say("dial")
		dead = append(dead, c)
	}
	waiting(t, r, 6)
	for _, c := range dead {
		c.Kill()
	}
	for { // their recovery
		if m, in := openObjects(t, r); m == n && in == used {
			break
		}
		time.Sleep(time.Millisecond)
	}
	d, a := meet(t, r, "svc", l)
	speaks(t, d, a, "hello")
	d.Close()
	a.Close()
	c := caller.Start(t, r.Name())
	c.Expect("ready")
	c.Say("dial")
	a = testproc.Get(l.Accept())(t)
	c.Expect("connected")
	speaks(t, a, a, "hello")
	c.Kill()
	if n, err := a.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("Read = %d, %v, of a dead peer", n, err)
	}
	a.Close()
}

// Servers and callers that are killed at random, in turn: the next server serves, and at
// the end nothing is left.
func TestStreamsOfTheKilled(t *testing.T) {
	r := region(t)
	testproc.Watchdog(t)
	listen(t, r, "svc", &ring.ListenOptions{Buffer: 4096, Backlog: 4}).Close()
	n, used := openObjects(t, r)
	for range 3 {
		s := server.Start(t, r.Name())
		s.Expect("ready")
		s.Say("serve")
		for range 2 {
			c := caller.Start(t, r.Name())
			c.Expect("ready")
			c.Say("call")
			for range 20 {
				conn := testproc.Get(ring.Dial(bg, r, "svc"))(t)
				speaks(t, conn, conn, "hello")
				conn.Close()
			}
			c.Kill()
		}
		s.Kill()
	}
	for {
		m, in := openObjects(t, r)
		if m == n && in == used {
			break
		}
		time.Sleep(time.Millisecond)
	}
}

const manyEach = 40 // connections of each caller

// Two hundred at once, of five processes, of which one is killed, one stopped for a while
// and one ends without a Close: the others go on, and at the end nothing is left.
func TestManyStreamsAtOnce(t *testing.T) {
	r := region(t)
	testproc.Watchdog(t)
	l := listen(t, r, "svc", &ring.ListenOptions{Buffer: 4096, Backlog: 16})
	n, used := openObjects(t, r)
	goroutines := runtime.NumGoroutine()
	served := echo(l)
	var callers []*testproc.Child
	for range 5 {
		c := caller.Start(t, r.Name())
		c.Expect("ready")
		c.Say("hold")
		callers = append(callers, c)
	}
	for _, c := range callers {
		c.Expect("holding")
	}
	if s := testproc.Get(r.Snapshot())(t); len(s.Streams) != 5*manyEach {
		t.Errorf("%d connections", len(s.Streams))
	}
	callers[1].Freeze()
	callers[0].Kill()
	callers[2].HangUp()
	callers[2].Wait()
	for _, c := range callers[3:] {
		c.Say("speak")
		c.Expect("spoke")
	}
	callers[1].Signal(syscall.SIGCONT)
	callers[1].Say("speak")
	callers[1].Expect("spoke")
	for _, i := range []int{1, 3, 4} {
		callers[i].Say("close")
		callers[i].Expect("closed")
	}
	for {
		if m, in := openObjects(t, r); m == n && in == used {
			break
		}
		time.Sleep(time.Millisecond)
	}
	l.Close()
	served.Wait()
	goroutinesEnd(t, goroutines+8) // those of the children, that read what they say
}

// A remaker makes an object and removes it, without a pause.
var remaker = testproc.Role("remaker", func(args []string) {
	r := attached(args[0])
	testproc.Say("ready")
	for {
		q, err := ring.OpenQueue[int](r, "made", nil)
		testproc.Must(err)
		testproc.Must(q.Close())
		testproc.Must(r.Remove("made"))
	}
})

// Where a process is stopped that changes the directory, a Dial waits no longer than its
// context lasts.
func TestDialBehindStopped(t *testing.T) {
	r := region(t)
	watch := testproc.Watchdog(t)
	l := listen(t, r, "svc", nil)
	c := remaker.Start(t, r.Name())
	c.Expect("ready")
	for c.Freeze(); testproc.Get(r.Snapshot())(t).Directory.Holder == nil; c.Freeze() {
		if watch.Err() != nil {
			t.Fatal("it is never stopped there")
		}
		c.Signal(syscall.SIGCONT)
		time.Sleep(100 * time.Microsecond)
	}
	ctx, cancel := context.WithCancel(bg)
	dialled := blocked(func() error { _, err := ring.Dial(ctx, r, "svc"); return err })
	cancel()
	endsWith(t, "Dial", dialled, context.Canceled)
	c.Kill()
	d, a := meet(t, r, "svc", l)
	speaks(t, d, a, "hello")
}
