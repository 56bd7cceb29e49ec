package streams

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Clients that mean ill: each is cut off by itself, the others are served meanwhile, and
// nothing is left of it.

// patience is what the server here has with a request's header.
const patience = 600 * time.Millisecond

// here serves in this process until the test ends; then it has as many goroutines as before.
func here(t *testing.T, r *shm.Region) *client {
	goroutines := runtime.NumGoroutine()
	s := newSite().server
	s.ReadHeaderTimeout, s.IdleTimeout = patience, patience
	l := testproc.Get(ring.Listen(r, service, nil))(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	c := newClient(t, r, 1)
	t.Cleanup(func() {
		c.transport.CloseIdleConnections()
		testproc.OK(t, s.Shutdown(testproc.Watchdog(t)))
		if err := <-served; err != http.ErrServerClosed {
			t.Error(err)
		}
		n := runtime.NumGoroutine()
		for end := time.Now().Add(testproc.Patience); n > goroutines+2 && time.Now().Before(end); n = runtime.NumGoroutine() { // a child's, which hear it
			time.Sleep(time.Millisecond)
		}
		if n > goroutines+2 {
			t.Errorf("%d goroutines, were %d", n, goroutines)
		}
	})
	return c
}

// whileServed asks for pages until the child says what is wanted.
func (c *client) whileServed(child *testproc.Child, want string) {
	c.t.Helper()
	var all sync.WaitGroup
	over := make(chan struct{})
	for i := range 3 {
		all.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-over:
					return
				default:
				}
				who := fmt.Sprint(i, "-", k)
				begun := time.Now()
				got, err := c.get("/?who=" + who)
				if err != nil && time.Since(begun) >= patience {
					continue // held up, and cut off as a loris is
				}
				if got != "hello "+who || err != nil {
					c.t.Errorf("%q, %v", got, err)
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	child.Expect(want)
	close(over)
	all.Wait()
}

const lorises = 100

// A loris has many connections, and says nothing, or a byte now and then.
var loris = testproc.Role("loris", func(args []string) {
	r := attached(args[0])
	var all sync.WaitGroup
	for i := range lorises {
		c, err := to(r)(bg, "", "")
		testproc.Must(err)
		all.Go(func() {
			if i%2 == 0 {
				go func() {
					for _, b := range []byte("GET / HTTP/1.1\r\nHost: " + service + "\r\nX: a header that has no end, as far as one can tell by its beginning") {
						if _, err := c.Write([]byte{b}); err != nil {
							return
						}
						time.Sleep(patience / 15)
					}
				}()
			}
			io.Copy(io.Discard, c) // until it is cut off
			if i%4 < 2 {
				c.Close()
			}
		})
	}
	testproc.Say("slow")
	all.Wait()
	testproc.Say("cut off")
	testproc.Hear() // half of them are open
})

func TestSlowLoris(t *testing.T) {
	r := region(t)
	c := here(t, r)
	for range 2 { // the second finds all that the first has left
		before := contents(t, r)
		slow := loris.Start(t, r.Name())
		slow.Expect("slow")
		c.whileServed(slow, "cut off")
		slow.Kill()
		c.transport.CloseIdleConnections()
		await(t, r, before)
	}
}

// scribbles are what a dialer may write over its connection's words: offsets of
// docs/layout.md, and what is added there.
var scribbles = []struct {
	what string
	at   int64
	add  uint64
	cut  bool // the server hears of it at its next look, and ends the connection
}{
	{"announces more than there is", 256, 1 << 40, true},
	{"announces a ring and a byte more", 256, buffer + 1, true},
	{"takes back what it announced", 256, ^uint64(0), true},
	{"has read more than was written", 640, 1 << 40, false},
	{"has read less than before", 640, ^uint64(0), false},
	{"the peer's own index of what it reads", 384, 1 << 33, false},
	{"the peer's own index of what it writes", 512, 1 << 33, false},
	{"who it is", 128, 5, false},
	{"who the peer is", 136, 5 << 32, false},
	{"the peer is gone", 136, 1 << 13, false},
	{"the buffer", 0, 64, false},
	{"the listener's word", 8, 1, false},
	{"the bell of what comes", 264, 7 << 20, false},
}

// A scribbler does each of these on connections of its own, and goes on as if nothing were,
// or waits until it is cut off.
var scribbler = testproc.Role("scribbler", func(args []string) {
	r := attached(args[0])
	f, err := os.OpenFile(r.Name(), os.O_RDWR, 0)
	testproc.Must(err)
	var all sync.WaitGroup
	for i := range 2 * len(scribbles) {
		c, err := to(r)(bg, "", "")
		testproc.Must(err)
		s, at := scribbles[i/2], int64(mine(f, r.Self().Index))
		all.Go(func() {
			if i%2 == 0 {
				ask(c)
			}
			var b [8]byte
			f.ReadAt(b[:], at+s.at)
			binary.LittleEndian.PutUint64(b[:], binary.LittleEndian.Uint64(b[:])+s.add)
			f.WriteAt(b[:], at+s.at)
			if s.cut {
				if n, err := c.Read(b[:]); n != 0 || err == nil {
					panic(fmt.Sprintf("%s, and is answered %q", s.what, b[:n]))
				}
			} else {
				c.SetDeadline(time.Now().Add(patience))
				ask(c)
			}
			if i%4 < 2 {
				c.Close()
			}
		})
	}
	all.Wait()
	testproc.Say("done")
	testproc.Hear() // half of them are open
})

// ask is what is answered at once.
func ask(c net.Conn) {
	io.WriteString(c, "GET /?who=a-scribbler HTTP/1.1\r\nHost: x\r\n\r\n")
	c.Read(make([]byte, 4096))
}

// mine is where the words of the newest connection are that participant i has dialled, by
// docs/layout.md.
func mine(f *os.File, i int) (at uint64) {
	up := func(x, n uint64) uint64 { return (x + n - 1) / n * n }
	word := func(at uint64, n int) uint64 {
		var b [8]byte
		f.ReadAt(b[:n], int64(at))
		return binary.LittleEndian.Uint64(b[:])
	}
	p, m := word(40, 4), word(44, 4)
	openers := up(4096+256*p, 128)
	waits := up(openers+p*up(m, 64)/8, 128)
	entries := up(waits+512*p, 128)
	newest := uint64(0)
	for e := entries; e < entries+320*m; e += 320 {
		if word(e, 4) == 2 && word(e+4, 4) == 18 && word(word(e+24, 8)+128, 2)&(1<<11-1) == uint64(i+1) && word(e+8, 8) > newest {
			newest, at = word(e+8, 8), word(e+24, 8)
		}
	}
	if at == 0 {
		panic("it has no connection")
	}
	return at
}

func TestScribblers(t *testing.T) {
	r := region(t)
	c := here(t, r)
	for range 2 {
		before := contents(t, r)
		s := scribbler.Start(t, r.Name())
		c.whileServed(s, "done")
		s.Kill()
		c.transport.CloseIdleConnections()
		await(t, r, before)
		testproc.OK(t, r.Check())
	}
}
