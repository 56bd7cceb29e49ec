package damage

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
)

// An edit changes some bytes of a region's file.
type edit struct {
	op  byte
	off uint32
	arg uint64
}

const (
	set64 = iota
	set32
	set8
	flip   // a bit: its number of 64
	add64  // mostly 1 or -1
	add32  // the same
	run    // of bytes: value, length
	copied // from another place: place, length
	swap   // with the 8 bytes at another place
	nOps
)

const editSize = 13

// encode is a list of edits as a fuzzer has them, and decode the way back.
func encode(es []edit) (b []byte) {
	for _, e := range es {
		b = append(b, e.op)
		b = binary.LittleEndian.AppendUint32(b, e.off)
		b = binary.LittleEndian.AppendUint64(b, e.arg)
	}
	return b
}

func decode(b []byte) (es []edit) {
	for ; len(b) >= editSize && len(es) < 256; b = b[editSize:] {
		es = append(es, edit{b[0] % nOps, binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint64(b[5:])})
	}
	return es
}

// apply does the edit to a file of imageSize bytes, whatever it says.
func (e edit) apply(f *os.File) error {
	le := binary.LittleEndian
	const room = imageSize - 4096
	at := int64(e.off % room)
	from := int64(uint32(e.arg) % room)
	b := make([]byte, 8)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	w := le.Uint64(b)
	switch e.op {
	case set64:
		w = e.arg
	case set32:
		w = w&^(1<<32-1) | e.arg&(1<<32-1)
	case set8:
		w = w&^255 | e.arg&255
	case flip:
		w ^= 1 << (e.arg & 63)
	case add64:
		w += e.arg
	case add32:
		w = w&^(1<<32-1) | (w+e.arg)&(1<<32-1)
	case run:
		b = make([]byte, 1+e.arg>>8&0x3ff)
		for i := range b {
			b[i] = byte(e.arg)
		}
	case copied:
		b = make([]byte, 1+e.arg>>32&0x1ff)
		if _, err := f.ReadAt(b, from); err != nil {
			return err
		}
	case swap:
		other := make([]byte, 8)
		if _, err := f.ReadAt(other, from); err != nil {
			return err
		}
		if _, err := f.WriteAt(b, from); err != nil {
			return err
		}
		w = le.Uint64(other)
	}
	if e.op != run && e.op != copied {
		le.PutUint64(b, w)
	}
	_, err := f.WriteAt(b, at)
	return err
}

// damage draws edits: most of them small, in few places, and plausible.
func damage(r *rand.Rand, all []span) []edit {
	n := 1 + r.IntN(6)
	if r.IntN(20) == 0 {
		n = 60
	}
	var es []edit
	for s := all[r.IntN(len(all))]; len(es) < n; {
		if r.IntN(3) == 0 {
			s = all[r.IntN(len(all))]
		}
		es = append(es, draw(r, s))
	}
	return es
}

func draw(r *rand.Rand, s span) edit {
	place := func() int64 {
		at := s.off + r.Int64N(s.end-s.off)
		switch r.IntN(8) {
		case 0:
			return at
		case 1, 2, 3:
			return at &^ 3
		}
		return at &^ 7
	}
	e := edit{op: byte(r.IntN(nOps)), off: uint32(place())}
	switch e.op {
	case set64, set32:
		e.arg = value(r)
	case set8, flip:
		e.arg = r.Uint64()
	case add64, add32:
		e.arg = [...]uint64{1, ^uint64(0), 1, ^uint64(0), 2, 8, 128, 1 << 28, 1 << 30, 1 << 32, 1 << 33, 1 << 40}[r.IntN(12)]
	case run:
		e.arg = uint64(r.IntN(1+r.IntN(300)))<<8 | uint64([...]byte{0, 0xff, byte(r.Uint32())}[r.IntN(3)])
	case copied:
		// From a word to a word, and a whole entry onto another's place.
		e.arg = uint64(place()) | uint64([...]int{3, 7, 7, 255, 319}[r.IntN(5)])<<32
	case swap:
		e.arg = uint64(place())
	}
	return e
}

// value is what an index, a length, a count or a claim might be.
func value(r *rand.Rand) uint64 {
	small := uint64(r.IntN(50))
	switch r.IntN(8) {
	case 0:
		return small
	case 1:
		return small * 128
	case 2:
		return -small
	case 3:
		return 1<<(r.IntN(63)+1) - small
	case 4:
		return 1<<(r.IntN(63)+1) + small
	case 5: // a slot: turn, phase, who
		return uint64(r.IntN(4))<<33 | uint64(r.IntN(8))<<30 | uint64(r.IntN(8))<<20 | uint64(r.IntN(4))
	case 6: // a mutex: epoch, flags, owner
		return uint64(r.IntN(4))<<32 | uint64(r.IntN(16))<<28 | uint64(r.IntN(8))
	}
	return r.Uint64()
}
