package golden

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
)

// The offsets are literal: a second opinion, which borrows nothing from the
// code under test.

var le = binary.LittleEndian

// normalise sets what differs from run to run to fixed values; see doc.go.
func normalise(b []byte) {
	b[12] &^= 4 // unfenced: of a system that has membarrier
	header := fnv.New64a()
	header.Write(b[:24])
	header.Write(b[40:48])
	header.Write(b[64:72])
	fix64(b, 88, header.Sum64())
	fix(b, 24, "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f")
	fix(b, 48, "\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf")
	fix64(b, 72, 1_700_000_000_000_000_000)
	fix64(b, 80, 4711)
	le.PutUint32(b[128:], 3)
	clear(b[136:144])
	clear(b[512 : 512+6*16])
	normaliseDirectoryLock(b[256:384])
	var mutexes []uint64
	participants, objects := uint64(le.Uint32(b[40:])), uint64(le.Uint32(b[44:]))
	for i := range participants {
		r := 4096 + 256*i
		if alive := le.Uint32(b[r+8:]); alive&(1<<30-1) != 0 {
			le.PutUint32(b[r+8:], alive&(3<<30)|uint32(2000+i))
		}
		fix32(b, r+12, uint32(1000+i))
		fix32(b, r+24, 0xeffffffc)
		fix32(b, r+28, 0xeffffffa)
		fix64(b, r+32, 300_000+i)
		fix64(b, r+128, sum(b, r))
		fix64(b, r+40, 1_700_000_001_000_000_000+i)
		fix64(b, r+136, 1_700_000_003_000_000_000+i)
		clear(b[r+200 : r+224])
	}
	waits := up(up(4096+256*participants, 128)+participants*up(objects, 64)/8, 128)
	for i := range participants {
		normaliseWaits(b[waits+512*i:][:512])
	}
	entries := up(waits+512*participants, 128)
	var used []run
	for i := range objects {
		e := entries + 320*i
		fix64(b, e+56, 1_700_000_002_000_000_000+i)
		if le.Uint32(b[e:]) == 0 {
			continue
		}
		off := le.Uint64(b[e+24:])
		used = append(used, run{off, off + le.Uint64(b[e+32:])})
		switch le.Uint32(b[e+4:]) {
		case 1, 2, 3, 4, 9, 10, 11:
			mutexes = append(mutexes, off)
		case 15:
			for i := range uint64(le.Uint32(b[off+12:])) {
				way := off + 512 + 768*i
				mutexes = append(mutexes, way, way+128)
				b[way+512] &^= 2
				b[way+516] &^= 2
				b[way+524] &^= 2
			}
		case 16: // whether one who waited had to sleep differs
			le.PutUint32(b[off+64:], 0)
			clear(b[off+128+136 : off+128+136+12])
		case 18:
			for _, bell := range []uint64{264, 392, 520, 648} {
				le.PutUint32(b[off+bell:], 0)
			}
		case 17:
			normaliseBroadcast(b[off:])
		}
		for _, bell := range bells(le.Uint32(b[e+4:]), participants) {
			b[off+bell] &^= 2
		}
	}
	for _, m := range mutexes {
		le.PutUint32(b[m:], le.Uint32(b[m:])&^(1<<28-1<<11))
		fix64(b, m+8, 4_000_000_000)
	}
	slices.SortFunc(used, func(x, y run) int { return int(int64(x.from) - int64(y.from)) })
	buckets := uint64(8)
	for buckets < objects {
		buckets *= 2
	}
	at := up(up(up(entries+320*objects, 128)+4*buckets, 128)+16*(objects+1), 4096)
	for _, u := range used {
		clear(b[at:u.from])
		at = u.to
	}
	clear(b[at:])
}

// normaliseDirectoryLock keeps who holds it and whether it is abandoned. All
// else depends on whether the guards, which attend to the region at times of
// their own, wanted it while an actor had it.
func normaliseDirectoryLock(m []byte) {
	le.PutUint32(m, le.Uint32(m)&(1<<30|1<<11-1))
	clear(m[8:16])
	clear(m[64:104])
}

// normaliseWaits keeps what a participant's calls sleep on. Which slots they
// have, and what is left in those that are free, depends on who slept meanwhile
// for the directory's lock.
func normaliseWaits(row []byte) {
	var words []uint64
	for at := 16; at < len(row); at += 16 {
		if w := le.Uint64(row[at:]); w != 0 {
			words = append(words, w)
		}
	}
	slices.Sort(words)
	clear(row[16:])
	for i, w := range words {
		le.PutUint64(row[16+16*i:], w)
		le.PutUint64(row[24+16*i:], 5_000_000_000) // since
	}
}

// normaliseBroadcast numbers a broadcast's tags, which begin at random, from 1 on, in order of
// its blocks.
func normaliseBroadcast(b []byte) {
	n, k, r, u := uint64(le.Uint32(b)), uint64(le.Uint32(b[8:])), uint64(le.Uint32(b[20:])), uint64(le.Uint32(b[24:]))
	heads := up(up(up(384+64*r, 128)+8*u, 128)+128*u+8*n, 128)
	tags := map[uint64]uint64{0: 0}
	number := func(at uint64) {
		tag := le.Uint64(b[at:])
		if tag&1 != 0 {
			return
		}
		if _, ok := tags[tag]; !ok {
			tags[tag] = tag>>34<<34 | uint64(2*len(tags))
		}
		le.PutUint64(b[at:], tags[tag])
	}
	for i := range k {
		number(heads + 16*i)
	}
	for i := range r {
		number(384 + 64*i)
	}
}

// bells is where the bells are in an object of a kind.
func bells(kind uint32, participants uint64) (at []uint64) {
	switch kind {
	case 3, 8:
		at = []uint64{136, 140}
	case 4:
		for i := range participants {
			at = append(at, 512+128*i+8)
		}
	case 5, 6:
		at = []uint64{136}
	case 7:
		at = []uint64{8}
	case 14:
		at = []uint64{128, 136}
	}
	return at
}

// sum is that of the identity in the record at r.
func sum(b []byte, r uint64) uint64 {
	h := fnv.New64a()
	for _, v := range []uint64{uint64(le.Uint32(b[r+12:])), le.Uint64(b[r+24:]), le.Uint64(b[r+32:]), le.Uint64(b[r:]) >> 32} {
		h.Write(le.AppendUint64(nil, v))
	}
	return h.Sum64() | 1
}

type run struct{ from, to uint64 }

func up(x, n uint64) uint64 { return (x + n - 1) / n * n }

func fix(b []byte, off uint64, s string) {
	if slices.ContainsFunc(b[off:off+uint64(len(s))], func(c byte) bool { return c != 0 }) {
		copy(b[off:], s)
	}
}

func fix32(b []byte, off uint64, v uint32) {
	if le.Uint32(b[off:]) != 0 {
		le.PutUint32(b[off:], v)
	}
}

func fix64(b []byte, off, v uint64) {
	if le.Uint64(b[off:]) != 0 {
		le.PutUint64(b[off:], v)
	}
}
