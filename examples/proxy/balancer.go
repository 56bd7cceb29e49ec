package main

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// A balancer asks one worker after the other. A request that is safe to ask again it asks
// the next if a worker has not answered it to the end.
type balancer struct {
	workers   []string
	turn      atomic.Uint64
	transport http.RoundTripper
	next      atomic.Int64 // how often
}

func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		out := r.Clone(r.Context())
		out.URL.Host = b.workers[b.turn.Add(1)%uint64(len(b.workers))]
		resp, err := b.transport.RoundTrip(out)
		if !safe(r) {
			return resp, err
		}
		if err == nil {
			err = whole(resp)
		}
		if err == nil {
			return resp, nil
		}
		if r.Context().Err() != nil {
			return nil, err
		}
		b.next.Add(1)
		if try%len(b.workers) == 0 { // all of them; others have been started
			time.Sleep(time.Millisecond)
		}
	}
}

// safe reports whether to ask twice is as good as once.
func safe(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && (r.Body == nil || r.Body == http.NoBody)
}

// whole has all of the answer here before any of it is passed on, which is for short ones.
func whole(resp *http.Response) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return err
}
