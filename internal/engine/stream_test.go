package engine

import (
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
			c := StreamConfig{Buffer: 64}
			a := mem.Heap(c.Size())
			c.Init(a, Self{Index: 1, Epoch: 1}, 7)
			var ends [2]*Stream
			for i := range ends {
				s, err := AttachStream(a, Env{Self: Self{Index: uint32(1 + i), Epoch: 1}}, i == 0)
				if err != nil {
					t.Fatal(err)
				}
				ends[i] = s
			}
			d, p := ends[0], make([]byte, 8)
			if ok, err := ends[1].Accept(); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if n, err := d.TryWrite(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			if tt.reads {
				if n, err := ends[1].TryRead(p); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
			}
			ends[1].End(EndAll)
			for range 2 {
				if _, err := d.TryRead(p); err != tt.want {
					t.Errorf("Read = %v, want %v", err, tt.want)
				}
				d.Filled(3)
			}
		})
	}
}
