package streams

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A client of the service.
type client struct {
	t testing.TB
	*http.Client
	transport *http.Transport
}

// newClient is a client that speaks HTTP/1, or 2.
func newClient(t testing.TB, r *shm.Region, version int) *client {
	tr := &http.Transport{DialContext: to(r), Protocols: new(http.Protocols), MaxIdleConnsPerHost: 100}
	tr.Protocols.SetHTTP1(version == 1)
	tr.Protocols.SetUnencryptedHTTP2(version == 2)
	t.Cleanup(tr.CloseIdleConnections)
	return &client{t, &http.Client{Transport: tr}, tr}
}

// do makes a request that must be answered.
func (c *client) do(method, path string, body io.Reader) *http.Response {
	c.t.Helper()
	req := testproc.Get(http.NewRequestWithContext(testproc.Watchdog(c.t), method, "http://"+service+path, body))(c.t)
	resp := testproc.Get(c.Do(req))(c.t)
	if resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
	return resp
}

// get is what is answered.
func (c *client) get(path string) (string, error) {
	resp, err := c.Get("http://" + service + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// want makes a request that must be answered so.
func (c *client) want(path, want string) {
	c.t.Helper()
	if got, err := c.get(path); got != want || err != nil {
		c.t.Errorf("%s: %q, %v, want %q", path, got, err, want)
	}
}

func serve(t testing.TB, r *shm.Region) *testproc.Child {
	t.Helper()
	s := server.Start(t, r.Name())
	s.Expect("ready")
	return s
}

// versions runs the test with HTTP/1 and with 2.
func versions(t *testing.T, test func(*testing.T, *shm.Region, *testproc.Child, *client)) {
	for version := 1; version <= 2; version++ {
		t.Run(fmt.Sprintf("HTTP/%d", version), func(t *testing.T) {
			r := region(t)
			test(t, r, serve(t, r), newClient(t, r, version))
		})
	}
}

// One connection is enough for one request after the other. What a server is told of who
// asks is region, service and process.
func TestKeptAlive(t *testing.T) {
	versions(t, func(t *testing.T, r *shm.Region, s *testproc.Child, c *client) {
		for i := range 50 {
			c.want(fmt.Sprint("/?who=", i), fmt.Sprint("hello ", i))
		}
		c.want("/pid", fmt.Sprintf("%d %s/%s:%d", s.PID(), r.Name(), service, os.Getpid()))
		c.want("/connections", "1")
	})
}

// Without keep-alive each request has a connection.
func TestOneEach(t *testing.T) {
	r := region(t)
	serve(t, r)
	c := newClient(t, r, 1)
	c.transport.DisableKeepAlives = true
	for i := range 20 {
		c.want("/connections", fmt.Sprint(i+1))
	}
}

// Long bodies, each byte of them: down, of a length that is told and in chunks, and up.
func TestLongBodies(t *testing.T) {
	versions(t, func(t *testing.T, r *shm.Region, s *testproc.Child, c *client) {
		for _, q := range []string{"length&", ""} {
			resp := c.do("GET", fmt.Sprintf("/down?%sn=%d", q, length), nil)
			if told := resp.ContentLength == length; told != (q != "") {
				t.Errorf("a length of %d, for %q", resp.ContentLength, q)
			}
			testproc.OK(t, drained(resp.Body, length))
		}
		resp := c.do("POST", "/up", body(length))
		if b := testproc.Get(io.ReadAll(resp.Body))(t); string(b) != fmt.Sprint(length, " <nil>") {
			t.Errorf("the server has read %s", b)
		}
		c.want("/connections", "1")
	})
}

// Each line of a request is answered before the next is sent.
func TestLineByLine(t *testing.T) {
	versions(t, func(t *testing.T, r *shm.Region, s *testproc.Child, c *client) {
		lines, w := io.Pipe()
		resp := c.do("POST", "/both", lines)
		answers := bufio.NewReader(resp.Body)
		for i := range 100 {
			line := fmt.Sprintln("line", i)
			testproc.Get(io.WriteString(w, line))(t)
			if got, err := answers.ReadString('\n'); got != strings.ToUpper(line) || err != nil {
				t.Fatalf("%q, %v, for %q", got, err, line)
			}
		}
		w.Close()
		if _, err := answers.ReadByte(); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		resp.Body.Close()
	})
}

// As with a WebSocket: the connection is taken over, and both send at once.
func TestUpgrade(t *testing.T) {
	r := region(t)
	serve(t, r)
	c := newClient(t, r, 1)
	req := testproc.Get(http.NewRequestWithContext(testproc.Watchdog(t), "GET", "http://"+service+"/upgrade", nil))(t)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", upgraded)
	resp := testproc.Get(c.Do(req))(t)
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("%s, %T", resp.Status, resp.Body)
	}
	testproc.OK(t, converse(conn, conn, conn))
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	conn.Close()
}

// Shutdown lets requests end that have begun, and lets none begin.
func TestShutdown(t *testing.T) {
	versions(t, func(t *testing.T, r *shm.Region, s *testproc.Child, c *client) {
		c.want("/", "hello ") // of HTTP/2, all that follow have its connection
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { c.want("/hold", "went on") })
		}
		for range 4 {
			s.Expect("holds")
		}
		s.Say("shutdown")
		s.Expect("served " + http.ErrServerClosed.Error())
		if conn, err := ring.Dial(bg, r, service); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial = %v, %v, after Shutdown", conn, err)
		}
		again := serve(t, r) // while the other is not through
		newClient(t, r, 1).want("/pid", fmt.Sprintf("%d %s/%s:%d", again.PID(), r.Name(), service, os.Getpid()))
		s.Say("go on")
		all.Wait()
		s.Expect("shut down <nil>")
	})
}

// The server hears that the client's context has ended.
func TestCancelled(t *testing.T) {
	versions(t, func(t *testing.T, r *shm.Region, s *testproc.Child, c *client) {
		ctx, cancel := context.WithCancel(bg)
		req := testproc.Get(http.NewRequestWithContext(ctx, "GET", "http://"+service+"/hold", nil))(t)
		done := make(chan error)
		go func() {
			_, err := c.Do(req)
			done <- err
		}()
		s.Expect("holds")
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Do = %v", err)
		}
		s.Expect("is let go: " + context.Canceled.Error())
		c.want("/", "hello ")
	})
}

// The server is killed in the middle of a body, up or down: the client hears of it, and
// whoever then serves the name is asked.
func TestServerKilled(t *testing.T) {
	versions(t, func(t *testing.T, r *shm.Region, s *testproc.Child, c *client) {
		resp := c.do("GET", "/endless", nil)
		testproc.OK(t, drained(io.LimitReader(resp.Body, length/4), length/4))
		up := make(chan error)
		go func() {
			_, err := c.Post("http://"+service+"/up", "", new(pen))
			up <- err
		}()
		s.Kill()
		rest, err := io.Copy(io.Discard, resp.Body)
		if err == nil || rest > length {
			t.Errorf("%d bytes more, and then %v", rest, err)
		}
		if err := <-up; err == nil {
			t.Error("who sends a body is not told")
		}
		resp.Body.Close()
		if _, err := c.get("/"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("while nobody serves: %v", err)
		}
		serve(t, r)
		c.want("/", "hello ")
	})
}

// A doomed client is killed in the middle of requests: one that is held, and two long bodies.
var doomed = testproc.Role("http client", func(args []string) {
	c := &http.Client{Transport: &http.Transport{DialContext: to(attached(args[0]))}}
	at := "http://" + service
	go c.Get(at + "/hold")
	go c.Post(at+"/up", "", new(pen))
	resp, err := c.Get(at + "/endless")
	testproc.Must(err)
	testproc.Must(drained(io.LimitReader(resp.Body, length/8), length/8))
	testproc.Say("reads")
	drain(resp.Body)
})

// A client is killed in the middle of requests: the server hears of it, and has nothing of
// it left.
func TestClientKilled(t *testing.T) {
	r := region(t)
	s := serve(t, r)
	c := newClient(t, r, 1)
	c.want("/", "hello ")
	before := contents(t, r)
	for range 3 {
		d := doomed.Start(t, r.Name())
		s.Expect("holds")
		d.Expect("reads")
		d.Kill()
		s.Expect("is let go: " + context.Canceled.Error())
		await(t, r, before)
	}
	c.want("/", "hello ")
}

// Many at once, each with requests one after the other.
func TestManyClients(t *testing.T) {
	versions(t, func(t *testing.T, r *shm.Region, s *testproc.Child, c *client) {
		var all sync.WaitGroup
		for i := range 64 {
			all.Go(func() {
				for k := range 10 {
					c.want(fmt.Sprintf("/?who=%d-%d", i, k), fmt.Sprintf("hello %d-%d", i, k))
				}
				resp := c.do("GET", "/down?n=100000", nil)
				if err := drained(resp.Body, 100_000); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}
