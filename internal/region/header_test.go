package region

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
)

// A header is what was written, and one of which any field was overwritten is
// refused. The offsets are docs/layout.md's.
func TestHeader(t *testing.T) {
	page := uint64(sys.PageSize())
	g, err := NewGeometry(1<<20, 3, 70)
	if err != nil {
		t.Fatal(err)
	}
	g.Flags = FlagEphemeral
	h := Header{Geometry: g, ID: object.RegionID{7}, Boot: [16]byte{8}, Created: time.Unix(0, 9), Inode: 10}
	encode := func() *[128]byte {
		b := make([]byte, 4096)
		h.Encode(b)
		return (*[128]byte)(b[:128])
	}
	got, err := DecodeHeader(encode(), 1<<20)
	if err != nil || got != h {
		t.Fatalf("DecodeHeader = %+v, %v, want %+v", got, err, h)
	}
	for _, tt := range []struct {
		name   string
		damage func(b []byte)
		size   uint64
		want   error
		text   string
	}{
		{"magic", func(b []byte) { b[0]++ }, 1 << 20, ErrNotRegion, "starts with"},
		{"newer layout", func(b []byte) { b[8]++ }, 1 << 20, ErrVersion, "layout version 4, this build has 3"},
		{"unknown flag", func(b []byte) { b[12] |= 8 }, 1 << 20, ErrVersion, fmt.Sprintf("flags 0x9, this build has %#x", knownFlags())},
		{"another flag", func(b []byte) { b[12] ^= 1 }, 1 << 20, ErrCorrupt, "sum"},
		{"pages of another size", func(b []byte) { b[66]++ }, 1 << 20, ErrVersion, "made for pages"},
		{"file cut", func([]byte) {}, 1<<20 - page, ErrCorrupt, "the header says 1048576 bytes"},
		{"no participants", func(b []byte) { clear(b[40:44]) }, 1 << 20, ErrCorrupt, "0 participants, want 1 to 1024"},
		{"too many", func(b []byte) { b[41] = 5 }, 1 << 20, ErrCorrupt, "participants, want 1 to 1024"},
		{"more objects", func(b []byte) { b[44]++ }, 1 << 20, ErrCorrupt, "sum"},
		{"more than fit", func(b []byte) { b[45] = 0x10 }, 1 << 20, ErrCorrupt, "want at least"},
		{"sum", func(b []byte) { b[95]++ }, 1 << 20, ErrCorrupt, "sum"},
		{"no id", func(b []byte) { clear(b[24:40]) }, 1 << 20, ErrCorrupt, "no id"},
	} {
		b := encode()
		tt.damage(b[:])
		if _, err := DecodeHeader(b, tt.size); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: DecodeHeader = %v, want %v, with %q", tt.name, err, tt.want, tt.text)
		}
	}
}

// Where everything is, by the formulas of docs/layout.md.
func TestGeometry(t *testing.T) {
	up := func(x, n uint64) uint64 { return (x + n - 1) / n * n }
	for _, tt := range []struct{ p, m, buckets uint64 }{{1, 1, 8}, {1, 8, 8}, {3, 9, 16}, {64, 1024, 1024}, {1024, 65, 128}, {5, 1 << 20, 1 << 20}} {
		g, err := NewGeometry(1<<40, uint32(tt.p), uint32(tt.m))
		if err != nil {
			t.Fatal(err)
		}
		openers := up(4096+256*tt.p, 128)
		waits := up(openers+tt.p*up(tt.m, 64)/8, 128)
		entries := up(waits+512*tt.p, 128)
		buckets := up(entries+320*tt.m, 128)
		extents := up(buckets+4*tt.buckets, 128)
		heap := up(extents+16*(tt.m+1), 4096)
		last, bit := g.opener(uint32(tt.p-1), uint32(tt.m-1))
		for _, w := range []struct {
			what      string
			got, want uint64
		}{
			{"last record", g.RecordAt(uint32(tt.p - 1)), 4096 + 256*(tt.p-1)},
			{"last opener's word", last, openers + (tt.p-1)*up(tt.m, 64)/8 + (tt.m-1)/64*8},
			{"last opener's bit", bit, 1 << ((tt.m - 1) % 64)},
			{"last row of waits", g.WaitsAt(uint32(tt.p - 1)), waits + 512*(tt.p-1)},
			{"last entry", g.EntryAt(uint32(tt.m - 1)), entries + 320*(tt.m-1)},
			{"buckets", g.Buckets, tt.buckets},
			{"hash table", g.BucketsOff, buckets},
			{"free runs", g.ExtentsOff, extents},
			{"heap", g.HeapOff, heap},
		} {
			if w.got != w.want {
				t.Errorf("%d participants, %d objects: %s: %d, want %d", tt.p, tt.m, w.what, w.got, w.want)
			}
		}
		if _, err := NewGeometry(heap+65536-1, uint32(tt.p), uint32(tt.m)); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("a byte less than the least: %v, want fs.ErrInvalid", err)
		}
		if _, err := NewGeometry(heap+65536, uint32(tt.p), uint32(tt.m)); err != nil {
			t.Errorf("the least: %v", err)
		}
	}
	if _, err := NewGeometry(1<<46+1, 1, 1); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a byte more than the most: %v, want fs.ErrInvalid", err)
	}
}
