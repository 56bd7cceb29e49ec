package shm

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"time"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
)

// A header is a private copy of a region's first bytes, found possible.
type header struct {
	geometry
	id      object.RegionID
	boot    [16]byte
	created time.Time
	inode   uint64
}

const knownFlags = flagEphemeral | flagAnonymous

// encode writes the header of a new region; b is zeroed.
func (h *header) encode(b []byte) {
	le := binary.LittleEndian
	le.PutUint64(b[hdrMagic:], layoutMagic)
	le.PutUint32(b[hdrVersion:], layoutVersion)
	le.PutUint32(b[hdrFlags:], h.flags)
	le.PutUint64(b[hdrSize:], h.size)
	copy(b[hdrID:], h.id[:])
	le.PutUint32(b[hdrParticipants:], h.participants)
	le.PutUint32(b[hdrObjects:], h.objects)
	copy(b[hdrBoot:], h.boot[:])
	le.PutUint32(b[hdrPageSize:], uint32(sys.PageSize()))
	le.PutUint64(b[hdrCreated:], uint64(h.created.UnixNano()))
	le.PutUint64(b[hdrInode:], h.inode)
	le.PutUint64(b[hdrSum:], headerSum(b))
}

// headerSum is of the fields that say what the region is and where everything
// in it lies: FNV-1a of their bytes, so that no flipped bit makes one that lasts
// ephemeral, or moves its directory.
func headerSum(b []byte) uint64 {
	sum := fnv.New64a()
	sum.Write(b[hdrMagic:hdrID])
	sum.Write(b[hdrParticipants:hdrBoot])
	sum.Write(b[hdrPageSize:hdrCreated])
	return sum.Sum64()
}

// readHeader copies the header of f, a file of size bytes, and checks it. The
// file is read, not mapped, so that nothing can fault.
func readHeader(f *os.File, size int64) (h header, err error) {
	if size < headerSize {
		return h, fmt.Errorf("%d bytes, want at least %d: %w", size, headerSize, ErrNotRegion)
	}
	var b [128]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return h, err
	}
	return decodeHeader(&b, uint64(size))
}

func decodeHeader(b *[128]byte, fileSize uint64) (h header, err error) {
	le := binary.LittleEndian
	if m := le.Uint64(b[hdrMagic:]); m != layoutMagic {
		return h, fmt.Errorf("it starts with %#016x, a region with %#016x: %w", m, uint64(layoutMagic), ErrNotRegion)
	}
	if v := le.Uint32(b[hdrVersion:]); v != layoutVersion {
		return h, fmt.Errorf("layout version %d, this build has %d: %w", v, layoutVersion, ErrVersion)
	}
	if p := le.Uint32(b[hdrPageSize:]); p != uint32(sys.PageSize()) {
		return h, fmt.Errorf("made for pages of %d bytes, this system has %d: %w", p, sys.PageSize(), ErrVersion)
	}
	size := le.Uint64(b[hdrSize:])
	if size != fileSize {
		return h, fmt.Errorf("the header says %d bytes, the file has %d: %w", size, fileSize, ErrCorrupt)
	}
	flags := le.Uint32(b[hdrFlags:])
	if flags&^uint32(knownFlags) != 0 { // whose sum may be another, too
		return h, fmt.Errorf("flags %#x, this layout has %#x: %w", flags, knownFlags, ErrVersion)
	}
	g, err := newGeometry(size, le.Uint32(b[hdrParticipants:]), le.Uint32(b[hdrObjects:]))
	if err == nil && size%uint64(sys.PageSize()) != 0 {
		err = fmt.Errorf("size %d, want whole pages of %d bytes", size, sys.PageSize())
	}
	if err != nil { // what is invalid in Create's options is corrupt here
		return h, fmt.Errorf("the header says %v: %w", err, ErrCorrupt)
	}
	if want, sum := headerSum(b[:]), le.Uint64(b[hdrSum:]); sum != want {
		return h, fmt.Errorf("the header's sum is %#016x, of these fields it would be %#016x: %w", sum, want, ErrCorrupt)
	}
	g.flags = flags
	h = header{geometry: g, created: time.Unix(0, int64(le.Uint64(b[hdrCreated:]))), inode: le.Uint64(b[hdrInode:])}
	copy(h.id[:], b[hdrID:])
	copy(h.boot[:], b[hdrBoot:])
	if h.id == (object.RegionID{}) {
		return h, fmt.Errorf("the header has no id: %w", ErrCorrupt)
	}
	return h, nil
}
