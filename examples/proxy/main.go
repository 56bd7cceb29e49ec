// Proxy has four processes that serve http behind one that passes requests on to them, with
// the listener and the dialer of package ring, and else with what net/http has. While many
// ask it kills one of the four at random, again and again, and starts another; no request
// that is safe to ask again is lost.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"

	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A worker serves under its name until it is asked to end.
var worker = proc.Register("worker", func(ctx context.Context, name string) error {
	l, err := ring.Listen(proc.Regions()[0], name, nil)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, answer(r.URL.Path))
	})}
	context.AfterFunc(ctx, func() { s.Shutdown(context.Background()) })
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
})

// answer takes some work.
func answer(path string) string {
	sum := sha256.Sum256([]byte(path))
	for range 1000 {
		sum = sha256.Sum256(sum[:])
	}
	return fmt.Sprintf("%x", sum)
}

func main() {
	proc.Main() // in a child this runs worker and exits
	requests := flag.Int("requests", 2000, "how many, in all")
	clients := flag.Int("clients", 16, "who ask at once")
	kills := flag.Int("kills", 20, "how often a worker is killed meanwhile")
	flag.Parse()

	region := must(shm.Anonymous(nil))
	defer region.Close()
	ctx, cancel := context.WithCancel(context.Background())
	crew := hire(ctx, region, "worker-0", "worker-1", "worker-2", "worker-3")
	back := &balancer{workers: crew.names, transport: &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			name, _, _ := net.SplitHostPort(addr)
			return ring.Dial(ctx, region, name)
		},
		MaxIdleConnsPerHost: *clients,
	}}
	front := must(net.Listen("tcp", "127.0.0.1:0"))
	go http.Serve(front, &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme = "http" },
		Transport: back,
	})

	var asked, lost atomic.Int64
	var all sync.WaitGroup
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = *clients
	for range *clients {
		all.Go(func() {
			for n := asked.Add(1); n <= int64(*requests); n = asked.Add(1) {
				if path := fmt.Sprint("/", n); ask(front.Addr().String(), path) != answer(path) {
					lost.Add(1)
				}
				if due := int(n) * *kills / *requests; due > (int(n)-1)**kills / *requests {
					crew.killOne()
				}
			}
		})
	}
	all.Wait()
	cancel() // SIGTERM to all
	crew.wait()
	fmt.Printf("%d requests, %d lost; %d workers killed, %d times the next was asked\n", *requests, lost.Load(), crew.killed.Load(), back.next.Load())
}

// ask asks whoever listens on addr.
func ask(addr, path string) string {
	resp, err := http.Get("http://" + addr + path)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
