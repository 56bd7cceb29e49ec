package ring_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A server's listener, and a client's dialer, are all that changes; here both are in one
// process.
func ExampleListen() {
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()

	l, err := ring.Listen(region, "web", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s", r.URL.Path[1:])
	})}
	go server.Serve(l)
	defer server.Close()

	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return ring.Dial(ctx, region, "web")
		},
	}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://web/gopher")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	fmt.Println(string(body), err)
	// Output: hello, gopher <nil>
}

// What one end writes the other reads; when the one writes no more, the other reads io.EOF.
func ExampleDial() {
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	l, err := ring.Listen(region, "echo", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the listener is closed
			}
			io.Copy(c, c) // what comes goes back
			c.Close()
		}
	}()

	c, err := ring.Dial(context.Background(), region, "echo")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	io.WriteString(c, "to and fro")
	c.(interface{ CloseWrite() error }).CloseWrite()
	back, err := io.ReadAll(c)
	fmt.Println(string(back), err)
	// Output: to and fro <nil>
}
