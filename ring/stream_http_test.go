package ring_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A pairListener gives out the acceptors of pairs whose dialers its dial returns.
type pairListener struct {
	t      testing.TB
	r      *shm.Region
	buffer int
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex
	pairs []*ring.StreamPair
	dials sync.WaitGroup // begun before closed
}

func newPairListener(t testing.TB, buffer int) *pairListener {
	return &pairListener{t: t, r: region(t), buffer: buffer, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pairListener) dial(ctx context.Context, _, _ string) (_ net.Conn, err error) {
	l.mu.Lock()
	select {
	case <-l.closed: // the test may be over
		l.mu.Unlock()
		return nil, net.ErrClosed
	default:
	}
	l.dials.Add(1)
	l.mu.Unlock()
	defer l.dials.Done()
	p := ring.NewStreamPair(l.t, l.r, l.buffer)
	l.mu.Lock()
	l.pairs = append(l.pairs, p)
	l.mu.Unlock()
	select {
	case l.conns <- p.Acceptor:
		return p.Dialer, nil
	case <-l.closed:
		err = net.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.Acceptor.Close()
	p.Dialer.Close()
	return nil, err
}

func (l *pairListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pairListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pairListener) Addr() net.Addr { return (&net.UnixAddr{Name: "pairs", Net: "tandem"}) }

// settle returns when whoever has not seen that it is closed has begun to dial.
func (l *pairListener) settle() {
	l.mu.Lock()
	defer l.mu.Unlock()
}

// dialled is how many connections there were.
func (l *pairListener) dialled() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pairs)
}

// serve serves h, and returns a client. All is over, and every connection closed at both
// ends, when the test ends.
func serve(t testing.TB, h http.Handler) (*http.Client, *http.Server, *pairListener) {
	l := newPairListener(t, 16<<10)
	s := &http.Server{Handler: h}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	transport := &http.Transport{DialContext: l.dial, MaxIdleConnsPerHost: 16}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Close()
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
		l.settle()
		l.dials.Wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, p := range l.pairs {
			for i := range p.Gone {
				for limit := time.Now().Add(testproc.Patience); p.Gone[i].Load() == 0; time.Sleep(100 * time.Microsecond) {
					if time.Now().After(limit) {
						t.Fatal("a connection was not closed")
					}
				}
			}
		}
	})
	return &http.Client{Transport: transport}, s, l
}

func body(t testing.TB, r *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Requests one after the other take one connection; those at once, as many as they are.
func TestStreamHTTP(t *testing.T) {
	client, _, l := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, len(b))
	}))
	for i := range 200 {
		want := fmt.Sprintf("POST /%d %d", i, i*i)
		r, err := client.Post(fmt.Sprintf("http://x/%d", i), "", bytes.NewReader(make([]byte, i*i)))
		if got := body(t, r, err); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	if n := l.dialled(); n > 10 { // one, unless net/http held something up for 50 ms
		t.Errorf("%d connections", n)
	}
	var g sync.WaitGroup
	for i := range 16 {
		g.Go(func() {
			for k := range 20 {
				r, err := client.Get(fmt.Sprintf("http://x/%d-%d", i, k))
				if err != nil {
					t.Error(err)
					return
				}
				b, _ := io.ReadAll(r.Body)
				r.Body.Close()
				if want := fmt.Sprintf("GET /%d-%d 0", i, k); string(b) != want {
					t.Errorf("%q, want %q", b, want)
				}
			}
		})
	}
	g.Wait()
}

// Bodies of any length, both ways, that come as they are written.
func TestStreamHTTPBodies(t *testing.T) {
	client, _, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		s := bufio.NewScanner(r.Body)
		for s.Scan() {
			fmt.Fprintf(w, "echo %s\n", s.Text())
			http.NewResponseController(w).Flush()
		}
	}))
	in, out := io.Pipe()
	req := testproc.Get(http.NewRequest("POST", "http://x/", in))(t)
	go fmt.Fprintln(out, "first")
	r, err := client.Do(req)
	testproc.OK(t, err)
	defer r.Body.Close()
	lines := bufio.NewReader(r.Body)
	for i := range 100 {
		if i > 0 {
			go fmt.Fprintf(out, "%d\n", i)
		} // each is answered before the next is sent
		want := fmt.Sprintf("echo %d\n", i)
		if i == 0 {
			want = "echo first\n"
		}
		if got, err := lines.ReadString('\n'); got != want || err != nil {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
	out.Close()
	if b, err := io.ReadAll(lines); len(b) != 0 || err != nil {
		t.Errorf("%q, %v", b, err)
	}

	long := strings.Repeat("0123456789abcde\n", 1<<14)
	client, _, _ = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || string(b) != long {
			t.Errorf("%d bytes came, %v", len(b), err)
		}
		io.Copy(w, bytes.NewReader(b))
	}))
	r, err = client.Post("http://x/", "", struct{ io.Reader }{strings.NewReader(long)}) // chunked
	if got := body(t, r, err); got != long {
		t.Errorf("%d bytes came back", len(got))
	}
}

// A handler takes the connection, as a WebSocket's does, with deadlines and a half-close.
func TestStreamHTTPHijack(t *testing.T) {
	_, _, l := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		rw.Flush()
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				errIs(t, "the peer's end", err, io.EOF)
				fmt.Fprint(c, "bye\n")
				return
			}
			fmt.Fprintf(c, "you said %s", line)
		}
	}))
	conn, err := l.dial(t.Context(), "", "")
	testproc.OK(t, err)
	defer conn.Close()
	c := conn.(*ring.StreamConn)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	br := bufio.NewReader(c)
	r, err := http.ReadResponse(br, nil)
	if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(r, err)
	}
	fmt.Fprint(c, "hello\n")
	if s, err := br.ReadString('\n'); s != "you said hello\n" || err != nil {
		t.Error(s, err)
	}
	testproc.OK(t, c.CloseWrite())
	if s, err := br.ReadString('\n'); s != "bye\n" || err != nil {
		t.Error(s, err)
	}
	errIs(t, "Read", reading(c), io.EOF)
}

// Shutdown waits for the request that is under way, and closes what is idle.
func TestStreamHTTPShutdown(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	client, s, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(began)
			<-goOn
		}
		fmt.Fprint(w, "done")
	}))
	r, err := client.Get("http://x/fast") // its connection is idle then
	body(t, r, err)
	answer := make(chan string, 1)
	go func() {
		r, err := client.Get("http://x/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		answer <- string(b)
	}()
	<-began
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	select {
	case err := <-down:
		t.Errorf("Shutdown did not wait: %v", err)
	case <-time.After(5 * time.Millisecond):
	}
	close(goOn)
	if got := <-answer; got != "done" {
		t.Errorf("the request under way: %s", got)
	}
	testproc.OK(t, <-down)
	if _, err := client.Get("http://x/"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a request after it: %v", err)
	}
}

// A client that gives up ends the request's context at the server.
func TestStreamHTTPCancel(t *testing.T) {
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	client, _, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		select {
		case <-r.Context().Done():
			ended <- r.Context().Err()
		case <-time.After(testproc.Patience):
			ended <- errors.New("the request goes on")
		}
	}))
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		req := testproc.Get(http.NewRequestWithContext(ctx, "GET", "http://x/", nil))(t)
		go func() { <-began; cancel() }()
		if _, err := client.Do(req); !errors.Is(err, context.Canceled) {
			t.Errorf("Do: %v", err)
		}
		errIs(t, "the request's context", <-ended, context.Canceled)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	req := testproc.Get(http.NewRequestWithContext(ctx, "GET", "http://x/", nil))(t)
	if _, err := client.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Do: %v", err)
	}
	select {
	case <-began:
		errIs(t, "the request's context", <-ended, context.Canceled)
	default: // it did not come so far in its time
	}
}
