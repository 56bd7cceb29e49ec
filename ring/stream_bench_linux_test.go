package ring_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// pinned has the process run on one processor, if that is 0 or more.
func pinned(cpu int) {
	if cpu < 0 {
		return
	}
	var set unix.CPUSet
	set.Set(cpu)
	testproc.Must(unix.SchedSetaffinity(0, &set))
}

// onProcessor is how long the threads of a process have run, in nanoseconds.
func onProcessor(pid int) (ns int64) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, f := range threads {
		b, _ := os.ReadFile(f)
		first, _, _ := strings.Cut(string(b), " ")
		n, _ := strconv.ParseInt(first, 10, 64)
		ns += n
	}
	return ns
}

const (
	echoes  = 64
	streams = 32 << 10
)

// An echoer answers what comes, or swallows it, by a stream or by a socket.
var echoer = testproc.Role("echoer", func(args []string) {
	cpu, err := strconv.Atoi(args[2])
	testproc.Must(err)
	pinned(cpu)
	var c net.Conn
	if args[1] == "unix" {
		c, err = net.Dial("unix", filepath.Join(filepath.Dir(args[0]), "socket"))
		testproc.Must(err)
	} else {
		c = ring.NewStreamEnd(attached(args[0]), "stream", 256<<10, false)
	}
	testproc.Say("ready")
	if args[3] == "trip" {
		b := make([]byte, echoes)
		for {
			if _, err := io.ReadFull(c, b); err != nil {
				return
			}
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}
	if args[3] == "http" {
		l := &pairListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		l.conns <- c
		http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	}
	b := make([]byte, streams)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
})

// A round trip of 64 bytes, a stream, and a round trip of HTTP, between two processes, beside a Unix socket.
func BenchmarkStreamConn(b *testing.B) {
	for _, what := range []string{"trip", "stream", "http"} {
		for _, cpus := range [][2]int{{0, 1}, {-1, -1}} {
			for _, by := range []string{"stream", "unix"} {
				b.Run(fmt.Sprintf("%s/pinned=%v/by=%s", what, cpus[0] >= 0, by), func(b *testing.B) {
					r := region(b)
					var c net.Conn
					var l net.Listener
					if by == "unix" {
						var err error
						l, err = net.Listen("unix", filepath.Join(filepath.Dir(r.Name()), "socket"))
						testproc.OK(b, err)
						defer l.Close()
					} else {
						c = ring.NewStreamEnd(r, "stream", 256<<10, true)
					}
					child := echoer.Start(b, r.Name(), by, strconv.Itoa(cpus[1]), what)
					if l != nil {
						c = testproc.Get(l.Accept())(b)
					}
					child.Expect("ready")
					var set unix.CPUSet
					testproc.OK(b, unix.SchedGetaffinity(0, &set))
					pinned(cpus[0])
					b.Cleanup(func() { unix.SchedSetaffinity(0, &set) })
					b.ReportAllocs()
					defer c.Close()
					before := onProcessor(os.Getpid()) + onProcessor(child.PID())
					defer func() {
						b.ReportMetric(float64(onProcessor(os.Getpid())+onProcessor(child.PID())-before)/float64(b.N), "cpu-ns/op")
					}()
					if what == "http" {
						client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}}
						for b.Loop() {
							r, err := client.Get("http://x/")
							body(b, r, err)
						}
					} else if what == "trip" {
						p := make([]byte, echoes)
						for b.Loop() {
							testproc.Get(c.Write(p))(b)
							testproc.Get(io.ReadFull(c, p))(b)
						}
					} else {
						p := make([]byte, streams)
						b.SetBytes(streams)
						for b.Loop() {
							testproc.Get(c.Write(p))(b)
						}
					}
					b.StopTimer()
				})
			}
		}
	}
}
