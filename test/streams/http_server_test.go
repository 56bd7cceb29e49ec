package streams

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// length is of a long body, many times what a connection holds.
const length = 4 << 20

// upgraded is what a connection becomes in /upgrade.
const upgraded = "letters"

// A server serves http, HTTP/2 too, until it hears "shutdown".
var server = testproc.Role("http server", func(args []string) {
	l, err := ring.Listen(attached(args[0]), service, nil)
	testproc.Must(err)
	s := newSite()
	go func() {
		testproc.Say("ready")
		for order := range testproc.Orders() {
			switch order {
			case "go on":
				close(s.goOn)
			case "shutdown":
				go func() { testproc.Say("shut down", s.server.Shutdown(bg)) }()
			}
		}
	}()
	testproc.Say("served", s.server.Serve(l))
	select {} // for Shutdown to return
})

// A site is what a server serves.
type site struct {
	server      *http.Server
	connections atomic.Int64
	goOn        chan struct{} // what holds, goes on
}

func newSite() *site {
	s := &site{goOn: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello ", r.URL.Query().Get("who")) })
	mux.HandleFunc("/pid", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getpid(), " ", r.RemoteAddr) })
	mux.HandleFunc("/connections", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, s.connections.Load()) })
	mux.HandleFunc("/down", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		if r.URL.Query().Has("length") { // else in chunks
			w.Header().Set("Content-Length", strconv.Itoa(n))
		}
		io.Copy(w, body(n))
	})
	mux.HandleFunc("/up", func(w http.ResponseWriter, r *http.Request) {
		n, err := drain(r.Body)
		fmt.Fprint(w, n, err)
	})
	mux.HandleFunc("/both", func(w http.ResponseWriter, r *http.Request) { both(w, r) })
	mux.HandleFunc("/upgrade", func(w http.ResponseWriter, r *http.Request) { upgrade(w) })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, new(pen)) })
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) {
		testproc.Say("holds")
		select {
		case <-s.goOn:
			fmt.Fprint(w, "went on")
		case <-r.Context().Done():
			testproc.Say("is let go:", r.Context().Err())
		}
	})
	s.server = &http.Server{Handler: mux, Protocols: new(http.Protocols), ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}}
	s.server.Protocols.SetHTTP1(true)
	s.server.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// both answers each line at once, while more come.
func both(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	if r.ProtoMajor == 1 {
		testproc.Must(c.EnableFullDuplex())
	}
	testproc.Must(c.Flush())
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		fmt.Fprintln(w, strings.ToUpper(lines.Text()))
		testproc.Must(c.Flush())
	}
}

// upgrade takes the connection over, and sends letters while it reads them.
func upgrade(w http.ResponseWriter) {
	c, rw, err := http.NewResponseController(w).Hijack()
	testproc.Must(err)
	defer c.Close()
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", upgraded)
	testproc.Must(rw.Flush())
	testproc.Must(converse(c, rw, c))
}

// converse sends a long body to w while it reads one. c is closed if that fails.
func converse(c io.Closer, r io.Reader, w io.Writer) error {
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(w, body(length))
		if err != nil {
			c.Close()
		}
		sent <- err
	}()
	if err := drained(io.LimitReader(r, length), length); err != nil {
		c.Close()
		return err
	}
	return <-sent
}
