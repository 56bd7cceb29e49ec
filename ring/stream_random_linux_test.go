package ring_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Connections whose ends are killed at random. What is left of each is an error at the
// other end that a peer's death can be, and nothing in the region.

var smallListener = ring.ListenOptions{Buffer: 4096, Backlog: 16}

// A mirror listens, and gives back what it gets.
var mirror = testproc.Role("mirror", func(args []string) {
	l, err := ring.Listen(attached(args[0]), args[1], &smallListener)
	testproc.Must(err)
	echo(l)
	testproc.Say("ready")
	tellsGoroutines(nil)
})

// tellsGoroutines tells how many there are, when it is asked, and does else what it hears.
func tellsGoroutines(does map[string]func(what string)) {
	for {
		what, ok := testproc.Hear()
		switch f := does[what]; {
		case !ok:
			return
		case f != nil:
			f(what)
		default:
			testproc.Say(runtime.NumGoroutine())
		}
	}
}

// An asker dials names.
var asker = testproc.Role("asker", func(args []string) {
	r, names := attached(args[0]), args[1:]
	testproc.Say("ready")
	var held []net.Conn
	tellsGoroutines(map[string]func(string){
		"use": func(string) { // a connection
			c, err := ring.Dial(bg, r, names[0])
			for range 1 + rand.IntN(40) {
				if err == nil {
					err = speaksOnce(c)
				}
			}
			if c != nil {
				testproc.Must(c.Close())
			}
			testproc.Say(lostOrUsed(err))
		},
		"hold": func(string) { // two of each
			for _, name := range append(names, names...) {
				c, err := ring.Dial(bg, r, name)
				testproc.Must(err)
				held = append(held, c)
			}
			testproc.Say("held")
		},
		"speak": func(string) { // in turn, at each that is not lost
			lost := map[int]bool{} // those of which names
			for range 20 {
				for i, c := range held {
					if name := i % len(names); !lost[name] && lostOrUsed(speaksOnce(c)) == "lost" {
						lost[name] = true
					}
				}
			}
			for _, c := range held {
				testproc.Must(c.Close())
			}
			held = nil
			testproc.Say(slices.Collect(maps.Keys(lost)))
		},
	})
})

func speaksOnce(c net.Conn) error {
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 5))
	return err
}

// lostOrUsed ends the process where the error cannot be a peer's death.
func lostOrUsed(err error) string {
	for _, e := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, e) {
			return "lost"
		}
	}
	testproc.Must(err)
	return "used"
}

// nothingLeft waits until the region has what it had.
func nothingLeft(t *testing.T, r *shm.Region, n int, used int64) {
	t.Helper()
	ctx := testproc.Watchdog(t)
	for {
		m, in := openObjects(t, r)
		if m == n && in == used {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%d objects and %d bytes, were %d and %d:\n%v", m, in, n, used, testproc.Get(r.Snapshot())(t))
		}
		time.Sleep(time.Millisecond)
	}
}

// counts is how many goroutines and threads a child has.
func counts(t *testing.T, c *testproc.Child) (goroutines, threads int) {
	t.Helper()
	c.Say("?")
	return testproc.Get(strconv.Atoi(c.Line()))(t), len(testproc.Threads(c.PID()))
}

// leavesNothing returns when a child has no more goroutines and threads than before, or fails.
func leavesNothing(t *testing.T, c *testproc.Child, goroutines, threads int) {
	t.Helper()
	ctx := testproc.Watchdog(t)
	for {
		g, m := counts(t, c)
		if g <= goroutines && m <= threads+20 { // the runtime starts some of its own
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%d goroutines and %d threads, were %d and %d", g, m, goroutines, threads)
		}
		time.Sleep(time.Millisecond)
	}
}

func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// One connection after the other. In every tenth one end is killed while it is used; and
// those that live to the end have nothing left of all that they had.
func TestStreamsKilledInTurn(t *testing.T) {
	r, rng := region(t), seeded(t)
	listen(t, r, "svc", &smallListener).Close()
	n, used := openObjects(t, r)
	start := func(who testproc.RoleName) (c *testproc.Child) {
		c = who.Start(t, r.Name(), "svc")
		c.Expect("ready")
		return c
	}
	e, u := start(mirror), start(asker)
	killed := map[bool]int{}
	for i := range effort.Or(1000, 100) {
		u.Say("use")
		if i%10 != 0 {
			u.Expect("used")
			continue
		}
		time.Sleep(time.Duration(rng.IntN(300)) * time.Microsecond)
		dialer := rng.IntN(2) == 0
		if killed[dialer]++; dialer {
			u.Kill()
			u = start(asker)
			continue
		}
		e.Kill()
		if l := u.Line(); l != "used" && l != "lost" {
			t.Fatalf("the asker says %q", l)
		}
		e = start(mirror)
	}
	t.Logf("killed: %d dialers, %d acceptors", killed[true], killed[false])
	for range 10 { // what a process begins only once
		u.Say("use")
		u.Expect("used")
	}
	eg, et := counts(t, e)
	ug, ut := counts(t, u)
	for range 100 {
		u.Say("use")
		u.Expect("used")
	}
	leavesNothing(t, e, eg, et)
	leavesNothing(t, u, ug, ut)
	for _, c := range []*testproc.Child{e, u} {
		c.HangUp()
		testproc.OK(t, c.Wait())
	}
	nothingLeft(t, r, n, used)
}

// Two hundred at once, of which one end each is killed in twenty, and the other in twenty:
// nobody notices but who was connected to it.
func TestStreamsKilledAtOnce(t *testing.T) {
	const each = 10 // listeners, and dialers that have two connections with each
	r, rng := region(t), seeded(t)
	names := []string{r.Name()}
	for i := range each {
		names = append(names, "svc"+strconv.Itoa(i))
		listen(t, r, names[1+i], &smallListener).Close()
	}
	n, used := openObjects(t, r)
	var mirrors, users []*testproc.Child
	for i := range each {
		mirrors = append(mirrors, mirror.Start(t, r.Name(), names[1+i]))
		users = append(users, asker.Start(t, names...))
	}
	all := func(cs []*testproc.Child, says, want string) {
		for _, c := range cs {
			if says != "" {
				c.Say(says)
			}
		}
		for _, c := range cs {
			c.Expect(want)
		}
	}
	all(mirrors, "", "ready")
	all(users, "", "ready")
	all(users, "hold", "held")
	all(users, "speak", "[]") // for what a process begins only once
	nothingLeft(t, r, n, used)
	goroutines, threads := map[*testproc.Child]int{}, map[*testproc.Child]int{}
	for _, c := range slices.Concat(mirrors, users) {
		goroutines[c], threads[c] = counts(t, c)
	}
	all(users, "hold", "held")
	if s := testproc.Get(r.Snapshot())(t); len(s.Streams) != 2*each*each {
		t.Errorf("%d connections", len(s.Streams))
	}
	i, k := rng.IntN(each), rng.IntN(each)
	for _, u := range users {
		u.Say("speak")
	}
	time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
	mirrors[i].Kill()
	users[k].Kill()
	for j, u := range users {
		if j == k {
			continue
		}
		if l := u.Line(); l != fmt.Sprint([]int{i}) && l != "[]" { // it was through before
			t.Errorf("connections with %s ended, and %d died", l, i)
		}
		leavesNothing(t, u, goroutines[u], threads[u])
		u.HangUp()
		testproc.OK(t, u.Wait())
	}
	for j, e := range mirrors {
		if j != i {
			leavesNothing(t, e, goroutines[e], threads[e])
			e.HangUp()
			testproc.OK(t, e.Wait())
		}
	}
	nothingLeft(t, r, n, used)
}
