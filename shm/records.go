package shm

import (
	"encoding/binary"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// The participants' records. A record's word is moved by CAS only, and only
// along the arrows of layout.go; its other fields are written by whoever holds
// the record's byte, while the word says Free (so a reader that finds the same
// word before and after has read one participant's fields), except
//
//	alive      by the owner's guard, and by the kernel when that thread ends
//	recoverer  by CAS, while the word says Dead
//	exits      by who leaves, or by the recoverer, before Free; ended too
//
// The sum is of what proves a death, and of the epoch: nobody is declared dead
// on the word of a record that was scribbled on, and of a free record it says
// whether the fields are still its last user's.
//
// The recoverer word names whom and who:
//
//	 63               43 42      32 31             0
//	+-------------------+----------+----------------+
//	| dead epoch, low 21| index +1 | epoch          |
//	+-------------------+----------+----------------+
//
// index and epoch are the recoverer's. A newcomer that has no record yet, and
// holds the dead one's byte, has newcomerIndex and a random number for them:
// no two recoverers have the same name, so a CAS from the name of one who was
// found dead cannot hit another.
type record struct {
	w words
	i uint32
}

func (w words) rec(i uint32) record { return record{w, i} }

func (r record) p64(off uint64) *uint64 { return r.w.W64(r.w.g.record(r.i) + off) }
func (r record) p32(off uint64) *uint32 { return r.w.W32(r.w.g.record(r.i) + off) }
func (r record) word() uint64           { return mem.Load64(r.p64(recWord)) }
func (r record) alive() uint32          { return mem.Load32(r.p32(recAlive)) }
func (r record) byteOffset() int64      { return int64(r.w.g.record(r.i)) }

// move is the only way a record's word changes. Whoever must know is told
// behind it (bell.go), and those on duty see it by themselves.
func (r record) move(from, to uint64) bool { return mem.CAS64(r.p64(recWord), from, to) }

// fill describes this process in a free record whose byte it holds, and takes
// down what the record's last user slept on.
func (r record) fill(id identity, name string) {
	mem.Zero(r.w.Ptr(r.w.g.waits(r.i), waitsSize), waitsSize)
	mem.Store64(r.p64(recSum), 0)
	mem.Store32(r.p32(recAlive), sys.FutexWaiters)
	mem.Store32(r.p32(recPID), id.pid)
	mem.Store64(r.p64(recPIDNS), id.ns)
	mem.Store64(r.p64(recStart), id.start)
	mem.Store64(r.p64(recSince), uint64(time.Now().UnixNano()))
	mem.Store64(r.p64(recRecovered), 0)
	mem.Store64(r.p64(recRescued), 0)
	if len(name) > recNameMax {
		name = name[:recNameMax]
	}
	var b [recNameMax]byte
	copy(b[:], name)
	for k := range uint64(recNameMax / 8) {
		mem.Store64(r.p64(recName+8*k), binary.LittleEndian.Uint64(b[8*k:]))
	}
	mem.Store32(r.p32(recNameLen), uint32(len(name)))
	mem.Store64(r.p64(recSum), id.sum(epochOf(r.word())+1))
}

// identity is who a record names, as far as proving its death needs it.
type identity struct {
	pid   uint32
	ns    uint64 // 0: not known, and neither is start
	start uint64
}

// identity is what the record says of its user in epoch; false if it has been
// filled for another, or scribbled on.
func (r record) identity(epoch uint32) (identity, bool) {
	id := identity{mem.Load32(r.p32(recPID)), mem.Load64(r.p64(recPIDNS)), mem.Load64(r.p64(recStart))}
	return id, mem.Load64(r.p64(recSum)) == id.sum(epoch)
}

// sum is FNV-1a of the words, and not 0.
func (id identity) sum(epoch uint32) uint64 {
	h := uint64(14695981039346656037)
	for _, v := range [...]uint64{uint64(id.pid), id.ns, id.start, uint64(epoch)} {
		for range 8 {
			h = (h ^ v&0xff) * 1099511628211
			v >>= 8
		}
	}
	return h | 1
}

// exited takes down how the user of epoch left. It is called by whoever
// frees the record next, and again if that one dies before it does.
func (r record) exited(epoch uint32, death bool) {
	v := mem.Load64(r.p64(recExits))
	deaths := uint32(v)
	if n := epoch - epochOf(v); n < 32 {
		deaths <<= n
	} else {
		deaths = 0
	}
	if death {
		deaths |= 1
	}
	mem.Store64(r.p64(recEnded), uint64(time.Now().UnixNano()))
	mem.Store64(r.p64(recExits), recordWord(epoch, deaths))
}

// died reports whether the user of epoch, who is gone, died. Of more than 32
// exits ago nothing is known any more; it is taken for a death.
func (r record) died(epoch uint32) bool {
	v := mem.Load64(r.p64(recExits))
	n := epochOf(v) - epoch
	return n >= 32 || uint32(v)>>n&1 != 0
}

// read copies a record out, and returns the word that it was read under. Of a
// free record the fields are its last user's.
func (r record) read() (Participant, uint64) {
	w := r.word()
	for range 8 { // a record changes hands in microseconds, and seldom
		p := r.fields(w)
		again := r.word()
		if again == w {
			return p, w
		}
		w = again
	}
	return r.fields(w), w
}

func (r record) fields(w uint64) Participant {
	p := Participant{
		Index:   int(r.i),
		Epoch:   epochOf(w),
		PID:     int(mem.Load32(r.p32(recPID))),
		Started: time.Unix(0, int64(mem.Load64(r.p64(recSince)))),
		State:   publicState(stateOf(w)),
	}
	var b [recNameMax]byte
	for k := range uint64(recNameMax / 8) {
		binary.LittleEndian.PutUint64(b[8*k:], mem.Load64(r.p64(recName+8*k)))
	}
	p.Name = string(b[:min(mem.Load32(r.p32(recNameLen)), recNameMax)])
	return p
}

const newcomerIndex = 1<<11 - 1 // +1 already; above that of any participant

func packRecoverer(deadEpoch, index1, epoch uint32) uint64 {
	return uint64(deadEpoch&(1<<21-1))<<43 | uint64(index1&(1<<11-1))<<32 | uint64(epoch)
}

func unpackRecoverer(v uint64) (deadEpoch, index1, epoch uint32) {
	return uint32(v >> 43), uint32(v>>32) & (1<<11 - 1), uint32(v)
}
