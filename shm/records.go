package shm

import (
	"encoding/binary"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/wait"
)

// The participants' records. A record's word is moved by CAS only, and only
// along the arrows of layout.go; its other fields are written by whoever holds
// the record's byte, while the word says Free (so a reader that finds the same
// word before and after has read one participant's fields), except
//
//	alive      by the owner's guard, and by the kernel when that thread ends
//	recoverer  by CAS, while the word says Dead
//
// The recoverer word names whom and who:
//
//	 63               43 42      32 31             0
//	+-------------------+----------+----------------+
//	| dead epoch, low 21| index +1 | epoch          |
//	+-------------------+----------+----------------+
//
// index and epoch are the recoverer's. Where they are the dead one's own, the
// recoverer is a newcomer that has no record yet and holds the dead one's byte.
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

// move is the only way a record's word changes. Whoever watches is told.
func (r record) move(from, to uint64) bool {
	if !mem.CAS64(r.p64(recWord), from, to) {
		return false
	}
	r.w.changed()
	return true
}

// changed tells all guards to look at the participants again: rule 5.
func (w words) changed() {
	p := w.W32(hdrChanges)
	mem.Add32(p, 1)
	wait.Wake(p, -1)
}

// fill describes this process in a record whose byte it holds.
func (r record) fill(pid int, ns, start uint64, name string) {
	mem.Store32(r.p32(recAlive), sys.FutexWaiters)
	mem.Store32(r.p32(recPID), uint32(pid))
	mem.Store64(r.p64(recPIDNS), ns)
	mem.Store64(r.p64(recStart), start)
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
}

// identity is who a record names, as far as proving its death needs it.
type identity struct {
	pid   uint32
	ns    uint64
	start uint64
}

func (r record) identity() identity {
	return identity{mem.Load32(r.p32(recPID)), mem.Load64(r.p64(recPIDNS)), mem.Load64(r.p64(recStart))}
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

func packRecoverer(deadEpoch, index1, epoch uint32) uint64 {
	return uint64(deadEpoch&(1<<21-1))<<43 | uint64(index1&(1<<11-1))<<32 | uint64(epoch)
}

func unpackRecoverer(v uint64) (deadEpoch, index1, epoch uint32) {
	return uint32(v >> 43), uint32(v>>32) & (1<<11 - 1), uint32(v)
}
