package engine

import (
	"errors"
	"io"
	"testing"

	"example.com/tandem/internal/mem"
)

// What a Read says of a peer that is gone it says for good, though a Write that was under
// way then publishes afterwards.
func TestStreamLast(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reads bool // the peer has read all
		want  error
	}{{"all was read", true, io.EOF}, {"something was not", false, ErrReset}} {
		t.Run(tt.name, func(t *testing.T) {
			_, d, peer := streamEnds(t)
			p := make([]byte, 8)
			if n, err := d.TryWrite(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			if tt.reads {
				if n, err := peer.TryRead(p); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
			}
			peer.End(EndAll)
			for range 2 {
				if _, err := d.TryRead(p); err != tt.want {
					t.Errorf("Read = %v, want %v", err, tt.want)
				}
				d.Filled(3)
			}
		})
	}
}

// An index of the peer's that goes back is corrupt, though it is one that could be.
func TestStreamIndexBack(t *testing.T) {
	a, d, peer := streamEnds(t)
	do := func(call func([]byte) (int, error), n int) {
		t.Helper()
		if k, err := call(make([]byte, n)); k != n || err != nil {
			t.Fatal(k, err)
		}
	}
	const wd, rd = 256, 384 // docs/layout.md
	do(d.TryWrite, 64)
	do(peer.TryRead, 40)
	do(d.TryWrite, 20) // which has seen that
	*a.W64(rd) = 30
	if n, err := d.TryWrite(make([]byte, 30)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("R back: Write = %d, %v", n, err)
	}
	*a.W64(rd) = 40
	do(peer.TryRead, 30) // which has seen 84 written
	*a.W64(wd) = 75
	if n, err := peer.TryRead(make([]byte, 64)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("W back: Read = %d, %v", n, err)
	}
}

// streamEnds are both ends of a stream, the dialer's first.
func streamEnds(t *testing.T) (a mem.Area, dialer, acceptor *Stream) {
	t.Helper()
	c := StreamConfig{Buffer: 64}
	a = mem.Heap(c.Size())
	c.Init(a, Self{Index: 1, Epoch: 1}, 7)
	var ends [2]*Stream
	for i := range ends {
		s, err := AttachStream(a, Env{Self: Self{Index: uint32(1 + i), Epoch: 1}}, i == 0)
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = s
	}
	if ok, err := ends[1].Accept(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return a, ends[0], ends[1]
}
