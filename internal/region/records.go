package region

import (
	"encoding/binary"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// The participants' records. A record's word is moved by CAS only, and only
// along the arrows below; its other fields are written by the holder of the
// record's byte, while the word says Free (so a reader that finds the same word
// before and after has read one participant's fields), except
//
//	alive      by the owner's guard, and by the kernel when that thread ends
//	recoverer  by CAS, while the word says Dead
//	exits      by the leaver, or by the recoverer, before Free; ended too
//
// The sum is of what proves a death, and of the epoch: nobody is declared dead
// on the word of a record that was scribbled on, and of a free record it says
// whether the fields are still its last user's.
//
// The recoverer word names the dead one and its recoverer:
//
//	 63               43 42      32 31             0
//	+-------------------+----------+----------------+
//	| dead epoch, low 21| index +1 | epoch          |
//	+-------------------+----------+----------------+
//
// index and epoch are the recoverer's. A newcomer that has no record yet, and
// holds the dead one's byte, has NewcomerIndex and a random number for them:
// no two recoverers have the same name, so a CAS from the name of one that was
// found dead cannot hit another.

// A Record is the record of participant I.
type Record struct {
	w Memory
	I uint32
}

// States of a participant, moved by CAS only, together with the epoch:
//
//	Free → Attaching → Alive → Leaving → Free      in the course of things
//	Attaching, Alive, Leaving → Dead               by a process that has the proof
//	Dead → Free                                    by its recoverer, when all is recovered
//
// The epoch grows by one at Free → Attaching.
const (
	StFree = iota
	StAttaching
	StAlive
	StLeaving
	StDead
)

// Present is every state but Free and Dead, one that no build writes included:
// only a proof ends it.
func Present(w uint64) bool { return StateOf(w) != StFree && StateOf(w) != StDead }

// RecordWord is the word of a record; EpochOf and StateOf are its halves.
func RecordWord(epoch, state uint32) uint64 { return uint64(epoch)<<32 | uint64(state) }
func EpochOf(w uint64) uint32               { return uint32(w >> 32) }
func StateOf(w uint64) uint32               { return uint32(w) }

// Rec is the record of participant i.
func (w *Memory) Rec(i uint32) Record { return Record{*w, i} }

// P64 and P32 are words of the record, by their offsets (Rec…).
func (r Record) P64(off uint64) *uint64 { return r.w.W64(r.w.Geo.RecordAt(r.I) + off) }
func (r Record) P32(off uint64) *uint32 { return r.w.W32(r.w.Geo.RecordAt(r.I) + off) }

// Word is the record's word.
func (r Record) Word() uint64 { return mem.Load64(r.P64(RecWord)) }

// Alive is its alive word.
func (r Record) Alive() uint32 { return mem.Load32(r.P32(RecAlive)) }

// ByteOffset is the byte of the file that the record's user keeps locked.
func (r Record) ByteOffset() int64 { return int64(r.w.Geo.RecordAt(r.I)) }

// Move is the only way a record's word changes. Those that must know are told
// behind it (shm/bell.go), and those on duty see it by themselves.
func (r Record) Move(from, to uint64) bool { return mem.CAS64(r.P64(RecWord), from, to) }

// Fill describes this process in a free record whose byte it holds, and clears
// what the record's last user slept on.
func (r Record) Fill(id Identity, name string) {
	mem.Zero(r.w.Ptr(r.w.Geo.WaitsAt(r.I), WaitsSize), WaitsSize)
	mem.Store64(r.P64(RecSum), 0)
	mem.Store32(r.P32(RecAlive), sys.FutexWaiters)
	mem.Store32(r.P32(RecPID), id.PID)
	mem.Store64(r.P64(RecPIDNS), id.NS)
	mem.Store64(r.P64(RecStart), id.Start)
	mem.Store64(r.P64(recSince), uint64(time.Now().UnixNano()))
	mem.Store64(r.P64(RecRecovered), 0)
	mem.Store64(r.P64(RecRescued), 0)
	if len(name) > recNameMax {
		name = name[:recNameMax]
	}
	var b [recNameMax]byte
	copy(b[:], name)
	for k := range uint64(recNameMax / 8) {
		mem.Store64(r.P64(RecName+8*k), binary.LittleEndian.Uint64(b[8*k:]))
	}
	mem.Store32(r.P32(RecNameLen), uint32(len(name)))
	mem.Store64(r.P64(RecSum), id.Sum(EpochOf(r.Word())+1))
}

// An Identity is the process that a record names, as far as proving its death
// needs it.
type Identity struct {
	PID   uint32
	NS    uint64 // 0: not known, and neither is start
	Start uint64
}

// Identity is what the record says of its user in epoch; false if it has been
// filled for another, or scribbled on.
func (r Record) Identity(epoch uint32) (Identity, bool) {
	id := Identity{mem.Load32(r.P32(RecPID)), mem.Load64(r.P64(RecPIDNS)), mem.Load64(r.P64(RecStart))}
	return id, mem.Load64(r.P64(RecSum)) == id.Sum(epoch)
}

// Sum is FNV-1a of the words, and not 0.
func (id Identity) Sum(epoch uint32) uint64 {
	h := uint64(14695981039346656037)
	for _, v := range [...]uint64{uint64(id.PID), id.NS, id.Start, uint64(epoch)} {
		for range 8 {
			h = (h ^ v&0xff) * 1099511628211
			v >>= 8
		}
	}
	return h | 1
}

// Exited records how the user of epoch left. It is called by the process that
// frees the record next, and again if that one dies before it does.
func (r Record) Exited(epoch uint32, death bool) {
	v := mem.Load64(r.P64(RecExits))
	deaths := uint32(v)
	if n := epoch - EpochOf(v); n < 32 {
		deaths <<= n
	} else {
		deaths = 0
	}
	if death {
		deaths |= 1
	}
	mem.Store64(r.P64(RecEnded), uint64(time.Now().UnixNano()))
	mem.Store64(r.P64(RecExits), RecordWord(epoch, deaths))
}

// Died reports whether the user of epoch, which is gone, died. Of more than 32
// exits ago nothing is known any more; it is taken for a death.
func (r Record) Died(epoch uint32) bool {
	v := mem.Load64(r.P64(RecExits))
	n := EpochOf(v) - epoch
	return n >= 32 || uint32(v)>>n&1 != 0
}

// A User is whom a record names, for people to read.
type User struct {
	PID   uint32
	Since int64 // when it attached, Unix nanoseconds
	Name  string
}

// userTries is more often than a record changes hands while one reads it.
const userTries = 8

// User copies the record's user out, and returns the word that it was read under.
// Of a free record it is the last.
func (r Record) User() (User, uint64) {
	w := r.Word()
	for range userTries {
		u := r.fields()
		again := r.Word()
		if again == w {
			return u, w
		}
		w = again
	}
	return r.fields(), w
}

func (r Record) fields() User {
	u := User{PID: mem.Load32(r.P32(RecPID)), Since: int64(mem.Load64(r.P64(recSince)))}
	var b [recNameMax]byte
	for k := range uint64(recNameMax / 8) {
		binary.LittleEndian.PutUint64(b[8*k:], mem.Load64(r.P64(RecName+8*k)))
	}
	u.Name = string(b[:min(mem.Load32(r.P32(RecNameLen)), recNameMax)])
	return u
}

// NewcomerIndex is the recoverer's index, +1 already, where it has no record yet:
// above that of any participant.
const NewcomerIndex = recovererIndex

// The recoverer word's fields.
const (
	RecovererEpochs = 1<<21 - 1 // the bits that it has of the dead one's epoch
	recovererIndex  = 1<<11 - 1
)

// PackRecoverer is the recoverer word. index1 is the recoverer's index +1; 0 names
// nobody.
func PackRecoverer(deadEpoch, index1, epoch uint32) uint64 {
	return uint64(deadEpoch&RecovererEpochs)<<43 | uint64(index1&recovererIndex)<<32 | uint64(epoch)
}

// UnpackRecoverer is what a recoverer word says.
func UnpackRecoverer(v uint64) (deadEpoch, index1, epoch uint32) {
	return uint32(v >> 43), uint32(v>>32) & recovererIndex, uint32(v)
}
