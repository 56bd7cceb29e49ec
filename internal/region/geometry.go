package region

import (
	"fmt"
	"io/fs"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// Limits of a region.
const (
	MaxObjects = 1 << 20
	MinHeap    = 64 << 10
	MaxSize    = 1 << 46
	HeapUnit   = 128
)

// A Geometry is where everything is, computed from three numbers that were
// copied out of the header once and found possible.
type Geometry struct {
	Size         uint64
	Participants uint32
	Objects      uint32
	Flags        uint32
	bitWords     uint64 // of one openers row
	Buckets      uint64
	openersOff   uint64
	waitsOff     uint64
	EntriesOff   uint64
	BucketsOff   uint64
	ExtentsOff   uint64
	HeapOff      uint64
}

// has reports whether n bytes from off on lie in the region.
func (g *Geometry) has(off, n uint64) bool { return off <= g.Size && n <= g.Size-off }

// RecordAt, WaitsAt and EntryAt are where the record of a participant is, its row
// of the table of waits, and an entry.
func (g *Geometry) RecordAt(i uint32) uint64 { return HeaderSize + uint64(i)*RecordSize }
func (g *Geometry) WaitsAt(i uint32) uint64  { return g.waitsOff + uint64(i)*WaitsSize }
func (g *Geometry) EntryAt(i uint32) uint64  { return g.EntriesOff + uint64(i)*EntrySize }

// opener is the bit that says whether participant p has entry obj open.
func (g *Geometry) opener(p, obj uint32) (word uint64, bit uint64) {
	return g.openersOff + (uint64(p)*g.bitWords+uint64(obj/64))*8, 1 << (obj % 64)
}

// NewGeometry lays out a region, or says with fs.ErrInvalid what is impossible.
func NewGeometry(size uint64, participants, objects uint32) (Geometry, error) {
	g := Geometry{Size: size, Participants: participants, Objects: objects}
	switch {
	case participants < 1 || participants > engine.MaxParticipants:
		return g, fmt.Errorf("%d participants, want 1 to %d: %w", participants, engine.MaxParticipants, fs.ErrInvalid)
	case objects < 1 || objects > MaxObjects:
		return g, fmt.Errorf("%d objects, want 1 to %d: %w", objects, MaxObjects, fs.ErrInvalid)
	case size > MaxSize:
		return g, fmt.Errorf("size %d, want at most %d: %w", size, uint64(MaxSize), fs.ErrInvalid)
	}
	g.Buckets = 8
	for g.Buckets < uint64(objects) {
		g.Buckets *= 2
	}
	g.bitWords = (uint64(objects) + 63) / 64
	off := uint64(HeaderSize) + uint64(participants)*RecordSize
	take := func(n uint64) (at uint64) {
		off = (off + 127) &^ 127
		at, off = off, off+n
		return at
	}
	g.openersOff = take(uint64(participants) * g.bitWords * 8)
	g.waitsOff = take(uint64(participants) * WaitsSize)
	g.EntriesOff = take(uint64(objects) * EntrySize)
	g.BucketsOff = take(g.Buckets * 4)
	g.ExtentsOff = take((uint64(objects) + 1) * ExtentSize)
	g.HeapOff = (off + 4095) &^ 4095
	if size < g.HeapOff+MinHeap {
		return g, fmt.Errorf("size %d, want at least %d for %d participants and %d objects: %w", size, g.HeapOff+MinHeap, participants, objects, fs.ErrInvalid)
	}
	return g, nil
}

// A Memory is a region's bytes, and where everything is in them: named access to
// its words. Copies of it are of the same region.
type Memory struct {
	mem.Area
	Geo Geometry
}

// Post and Beat are the words of post k of those on duty.
func (w *Memory) Post(k int) *uint64 { return w.W64(hdrDuty + uint64(k)*DutyStride + dutyHolder) }
func (w *Memory) Beat(k int) *uint32 { return w.W32(hdrDuty + uint64(k)*DutyStride + dutyBeat) }

// On is the memory in area, laid out as g says.
func On(area mem.Area, g Geometry) Memory { return Memory{area, g} }
