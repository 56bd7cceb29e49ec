package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

func listen(t testing.TB, r *shm.Region, name string, o *ring.ListenOptions) net.Listener {
	t.Helper()
	return testproc.Get(ring.Listen(r, name, o))(t)
}

// meet dials and accepts.
func meet(t testing.TB, r *shm.Region, name string, l net.Listener) (dialled, accepted net.Conn) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		var err error
		accepted, err = l.Accept()
		done <- err
	}()
	dialled = testproc.Get(ring.Dial(bg, r, name))(t)
	testproc.OK(t, <-done)
	return dialled, accepted
}

// speaks writes at one end and reads at the other.
func speaks(t testing.TB, from, to net.Conn, text string) {
	t.Helper()
	testproc.Get(from.Write([]byte(text)))(t)
	b := make([]byte, len(text))
	if _, err := io.ReadFull(to, b); err != nil || string(b) != text {
		t.Errorf("read %q, %v, want %q", b, err, text)
	}
}

// openObjects is how many objects the region has, with a name and without, and the bytes
// that are used, once nothing is about to be given back.
func openObjects(t testing.TB, r *shm.Region) (n int, used int64) {
	t.Helper()
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
		s := testproc.Get(r.Snapshot())(t)
		n, used = s.Directory.Live+s.Directory.Removed+s.Directory.Streams, s.Memory.Used
		settled := s.Directory.Unopened == 0 && !slices.ContainsFunc(s.Streams, func(o shm.ObjectState) bool { return len(o.OpenIn) == 0 })
		if settled || time.Now().After(end) {
			return n, used
		}
	}
}

// goroutinesEnd waits until there are no more than n.
func goroutinesEnd(t testing.TB, n int) {
	t.Helper()
	for end := time.Now().Add(testproc.Patience); runtime.NumGoroutine() > n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("%d goroutines, were %d", runtime.NumGoroutine(), n)
			return
		}
	}
}

func TestDial(t *testing.T) {
	r := region(t)
	l := listen(t, r, "svc", nil)
	_, used := openObjects(t, r)
	d, a := meet(t, r, "svc", l)
	speaks(t, d, a, "from the dialer")
	speaks(t, a, d, "from the acceptor")
	where := fmt.Sprintf("%s/svc:%d", r.Name(), os.Getpid())
	for what, addr := range map[string]net.Addr{"listener": l.Addr(), "dialer": d.LocalAddr(), "its peer": d.RemoteAddr(), "acceptor": a.LocalAddr(), "and its": a.RemoteAddr()} {
		if addr.Network() != "tandem" || addr.String() != where {
			t.Errorf("%s: %s %s, want tandem %s", what, addr.Network(), addr, where)
		}
	}
	if n, in := openObjects(t, r); n != 2 || in <= used {
		t.Errorf("%d objects of %d bytes, with a connection", n, in)
	}
	testproc.OK(t, d.Close())
	if b, err := io.ReadAll(a); len(b) > 0 || err != nil {
		t.Errorf("read %q, %v, of what was closed", b, err)
	}
	testproc.OK(t, l.Close())
	testproc.OK(t, a.Close())
	if n, in := openObjects(t, r); n != 1 || in != used {
		t.Errorf("%d objects of %d bytes, want the listener's %d", n, in, used)
	}
}

// Nobody listens: at once.
func TestDialRefused(t *testing.T) {
	r := region(t)
	refused := func(what string) {
		t.Helper()
		c, err := ring.Dial(bg, r, "svc")
		if c != nil || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: Dial = %v, %v", what, c, err)
		}
	}
	refused("no object")
	l := listen(t, r, "svc", nil)
	testproc.OK(t, l.Close())
	refused("closed")
	if _, err := ring.Dial(bg, r, ""); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("no name: %v", err)
	}
	open[int](t, r, "q", nil)
	if _, err := ring.Dial(bg, r, "q"); !errors.Is(err, shm.ErrMismatch) {
		t.Errorf("a queue: %v", err)
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, err := ring.Dial(ctx, r, "svc"); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
}

// Who waits in the backlog is refused when the listener ends, whoever is next.
func TestDialersOfAListenerThatCloses(t *testing.T) {
	r := region(t)
	l := listen(t, r, "svc", &ring.ListenOptions{Buffer: 4096, Backlog: 4})
	n, used := openObjects(t, r)
	const dialers = 10 // some wait for room
	errs := make(chan error, dialers)
	for range dialers {
		go func() {
			_, err := ring.Dial(bg, r, "svc")
			errs <- err
		}()
	}
	for len(testproc.Get(r.Snapshot())(t).Streams) < dialers {
		runtime.Gosched()
	}
	testproc.OK(t, l.Close())
	next := listen(t, r, "svc", nil)
	for range dialers {
		if err := <-errs; !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial = %v", err)
		}
	}
	d, a := meet(t, r, "svc", next) // over what lies in the backlog still
	speaks(t, d, a, "hello")
	d.Close()
	a.Close()
	if m, in := openObjects(t, r); m != n || in != used {
		t.Errorf("%d objects, %d bytes, want %d, %d", m, in, n, used)
	}
}

func TestDialContext(t *testing.T) {
	r := region(t)
	l := listen(t, r, "svc", &ring.ListenOptions{Buffer: 64, Backlog: 1})
	n, used := openObjects(t, r)
	for _, what := range []string{"for an answer", "for room"} {
		ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
		if _, err := ring.Dial(ctx, r, "svc"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
		cancel()
	}
	if m, in := openObjects(t, r); m != n || in != used {
		t.Errorf("%d objects, %d bytes, want %d, %d", m, in, n, used)
	}
	d, a := meet(t, r, "svc", l)
	speaks(t, d, a, "hello")
}

func TestListenTwice(t *testing.T) {
	r := region(t)
	l := listen(t, r, "svc", &ring.ListenOptions{Buffer: 100, Backlog: 3})
	for _, o := range []*ring.ListenOptions{nil, {Buffer: 100}, {Buffer: 200}, {Backlog: 7}} {
		if l, err := ring.Listen(r, "svc", o); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%+v: %v, %v", o, l, err)
		}
	}
	testproc.OK(t, l.Close())
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
	if _, err := ring.Listen(r.Existing(), "svc", &ring.ListenOptions{Buffer: 5000}); !errors.Is(err, shm.ErrMismatch) {
		t.Errorf("another one of what is there: %v", err)
	}
	l = listen(t, r, "svc", nil) // as it is there
	if s := testproc.Get(r.Snapshot())(t).Object("svc"); s.Fields["buffer"] != "128" || s.Fields["backlog"] != "3" {
		t.Errorf("%v", s.Fields)
	}
	testproc.OK(t, l.Close())
	l = listen(t, r, "svc", &ring.ListenOptions{Buffer: 5000}) // made anew
	if s := testproc.Get(r.Snapshot())(t).Object("svc"); s.Fields["buffer"] != "5056" || s.Fields["backlog"] != "128" {
		t.Errorf("%v", s.Fields)
	}
	d, a := meet(t, r, "svc", l)
	speaks(t, d, a, "hello")
	for _, o := range []ring.ListenOptions{{Buffer: -1}, {Backlog: -1}, {Buffer: 2 << 30}, {Backlog: 2 << 20}} {
		if _, err := ring.Listen(r, "other", &o); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// Close ends every Accept, whoever closes.
func TestAcceptOfWhatIsClosed(t *testing.T) {
	r := region(t)
	l := listen(t, r, "svc", nil)
	errs := make(chan error, 6)
	for range 3 {
		go func() {
			_, err := l.Accept()
			errs <- err
		}()
	}
	time.Sleep(5 * time.Millisecond)
	var closed sync.WaitGroup
	for range 3 {
		closed.Go(func() {
			if err := l.Close(); err != nil {
				errs <- err
			} else {
				errs <- net.ErrClosed
			}
		})
	}
	closed.Wait()
	for range 6 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept, Close = %v", err)
		}
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "/svc:") {
		t.Errorf("Accept = %v", err)
	}
}

// The end of the region for this process ends all of it.
func TestStreamsOfARegionThatCloses(t *testing.T) {
	r := region(t)
	other := testproc.Get(shm.Open(r.Name(), nil))(t) // the same attachment
	l := listen(t, other, "svc", nil)
	errs := make(chan error, 2)
	d, a := meet(t, other, "svc", l)
	speaks(t, d, a, "hello")
	go func() {
		_, err := l.Accept()
		errs <- err
		_, err = l.Accept()
		errs <- err
	}()
	time.Sleep(2 * time.Millisecond)
	testproc.OK(t, other.Close())
	testproc.OK(t, r.Close())
	for range 2 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) || !errors.Is(err, shm.ErrClosed) {
			t.Errorf("Accept = %v", err)
		}
	}
	if _, err := ring.Dial(bg, r, "svc"); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Dial = %v", err)
	}
	if _, err := ring.Listen(r, "svc", nil); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Listen = %v", err)
	}
	l.Close()
	d.Close()
	a.Close()
	again := testproc.Get(shm.Open(r.Name(), nil))(t)
	defer again.Close()
	if n, _ := openObjects(t, again); n != 1 {
		t.Errorf("%d objects are left, want the listener", n)
	}
	listen(t, again, "svc", nil)
}

// What is forgotten is closed.
func TestForgottenStreams(t *testing.T) {
	r := region(t)
	l := listen(t, r, "svc", nil)
	n, used := openObjects(t, r)
	var peer net.Conn
	func() { _, peer = meet(t, r, "svc", l) }()
	got := make(chan error, 1)
	go func() {
		_, err := peer.Read(make([]byte, 1))
		peer.Close()
		got <- err
	}()
	for done := false; !done; {
		runtime.GC()
		select {
		case err := <-got:
			if err != io.EOF {
				t.Errorf("Read = %v, of a connection whose other end was forgotten", err)
			}
			done = true
		case <-time.After(time.Millisecond):
		}
	}
	for limit := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) { // its peer hears of it before
		m, in := openObjects(t, r)
		if m == n && in == used {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("%d objects, %d bytes, want %d, %d", m, in, n, used)
		}
	}
	runtime.KeepAlive(l)
	l = nil
	for {
		runtime.GC()
		if l, err := ring.Listen(r, "svc", nil); err == nil {
			l.Close()
			break
		}
		time.Sleep(time.Millisecond)
	}
}

// Many at once, and many in turn: each is connected to one other, and nothing is left.
func TestManyStreams(t *testing.T) {
	r := region(t)
	const dialers, turns = 20, 50
	l := listen(t, r, "svc", &ring.ListenOptions{Buffer: 1024, Backlog: 3})
	n, used := openObjects(t, r)
	goroutines := runtime.NumGoroutine()
	served := echo(l)
	var dialled sync.WaitGroup
	for i := range dialers {
		dialled.Go(func() {
			for k := range turns {
				c, err := ring.Dial(bg, r, "svc")
				if err != nil {
					t.Error(err)
					return
				}
				speaks(t, c, c, fmt.Sprint(i, " ", k))
				c.Close()
			}
		})
	}
	dialled.Wait()
	l.Close()
	served.Wait()
	if m, in := openObjects(t, r); m != n || in != used {
		t.Errorf("%d objects, %d bytes, want %d, %d", m, in, n, used)
	}
	goroutinesEnd(t, goroutines)
}

// A region has room for so many connections; when they are closed, for others.
func TestStreamsInASmallRegion(t *testing.T) {
	r := testproc.Get(shm.Create(t.TempDir()+"/r", &shm.Options{Size: 4 << 20, Objects: 16}))(t)
	defer r.Close()
	l := listen(t, r, "svc", &ring.ListenOptions{Buffer: 256 << 10})
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	defer l.Close()
	var all []net.Conn
	for {
		c, err := ring.Dial(bg, r, "svc")
		if errors.Is(err, shm.ErrNoSpace) {
			break
		}
		testproc.OK(t, err)
		all = append(all, c, <-accepted)
	}
	if len(all) != 2*7 {
		t.Errorf("%d connections in 4 MiB", len(all)/2)
	}
	for range 3 {
		for _, c := range all {
			c.Close()
		}
		for i := 0; i < len(all); i += 2 {
			all[i] = testproc.Get(ring.Dial(bg, r, "svc"))(t)
			all[i+1] = <-accepted
		}
	}
}

// What inspect shows: who, since when, how much each way, what is not read, who is blocked.
func TestStreamsShown(t *testing.T) {
	r := region(t)
	l := listen(t, r, "svc", &ring.ListenOptions{Buffer: 4096})
	d, a := meet(t, r, "svc", l)
	speaks(t, d, a, "hello")
	testproc.Get(a.Write([]byte("good bye")))(t)
	go a.Read(make([]byte, 1))
	go ring.Dial(bg, r, "svc")
	me := fmt.Sprintf(`#\d+\.1 \([^)]*, pid %d\)`, os.Getpid())
	for _, want := range []string{
		`\d+ objects of 1024, 0 removed and still open, 2 connections, `,
		`svc +listener +\S+ \S+ +1 of 128, listening ` + me + `, waited for by ` + me + `: 1 for [\d.]+ m?s +backlog=128 buffer=4096\n`,
		`svc +\d\d:\d\d:\d\d \([\d.]+ m?s\) +\S+ KiB +8 of 8192 bytes, written 5 and 8, dialer ` + me + `, whose peer has 0 unread, acceptor ` + me + `, whose peer has 8 unread, waited for by ` + me + `: 1 for `,
		`svc +\d\d:\d\d:\d\d \([\d.]+ m?s\) +\S+ KiB +not accepted, 0 of 8192 bytes, written 0 and 0, dialer ` + me + `, whose peer has 0 unread, waited for by ` + me,
	} {
		re := regexp.MustCompile(want)
		text := ""
		for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
			if text = testproc.Get(r.Snapshot())(t).String(); re.MatchString(text) || time.Now().After(end) {
				break
			}
		}
		if !re.MatchString(text) {
			t.Errorf("want %s in\n%s", want, text)
		}
	}
	s := testproc.Get(r.Snapshot())(t)
	if text := s.ObjectText(s.Object("svc")); strings.Count(text, "\nconnection  ") != 2 || !strings.Contains(text, "\nlistens  ") {
		t.Errorf("%s", text)
	}
	testproc.OK(t, r.Check())
	for _, c := range []io.Closer{d, a, l} {
		c.Close()
	}
}

// echo gives each who dials back what it writes, until the listener is closed.
func echo(l net.Listener) *sync.WaitGroup {
	served := &sync.WaitGroup{}
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				io.Copy(c, c)
				c.Close()
			})
		}
	})
	return served
}
