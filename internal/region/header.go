package region

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"time"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
)

// A Header is a private copy of a region's first bytes, found possible.
type Header struct {
	Geometry
	ID      object.RegionID
	Boot    [16]byte
	Created time.Time
	Inode   uint64
}

// Encode writes the header of a new region; b is zeroed.
func (h *Header) Encode(b []byte) {
	le := binary.LittleEndian
	le.PutUint64(b[HdrMagic:], layoutMagic)
	le.PutUint32(b[HdrVersion:], layoutVersion)
	le.PutUint32(b[hdrFlags:], h.Flags)
	le.PutUint64(b[HdrSize:], h.Size)
	copy(b[HdrID:], h.ID[:])
	le.PutUint32(b[hdrParticipants:], h.Participants)
	le.PutUint32(b[hdrObjects:], h.Objects)
	copy(b[HdrBoot:], h.Boot[:])
	le.PutUint32(b[HdrPageSize:], uint32(sys.PageSize()))
	le.PutUint64(b[HdrCreated:], uint64(h.Created.UnixNano()))
	le.PutUint64(b[hdrInode:], h.Inode)
	le.PutUint64(b[hdrSum:], HeaderSum(b))
}

// HeaderSum is of the fields that say what the region is and where everything
// in it lies: FNV-1a of their bytes, so that no flipped bit makes one that lasts
// ephemeral, or moves its directory.
func HeaderSum(b []byte) uint64 {
	sum := fnv.New64a()
	sum.Write(b[HdrMagic:HdrID])
	sum.Write(b[hdrParticipants:HdrBoot])
	sum.Write(b[HdrPageSize:HdrCreated])
	return sum.Sum64()
}

// DecodeHeader is the header whose first bytes are b, of a file of so many bytes;
// else ErrNotRegion, ErrVersion or ErrCorrupt, with what it says and what it should.
func DecodeHeader(b *[128]byte, fileSize uint64) (h Header, err error) {
	le := binary.LittleEndian
	if m := le.Uint64(b[HdrMagic:]); m != layoutMagic {
		return h, fmt.Errorf("it starts with %#016x, a region with %#016x: %w", m, uint64(layoutMagic), ErrNotRegion)
	}
	if v := le.Uint32(b[HdrVersion:]); v != layoutVersion {
		return h, fmt.Errorf("layout version %d, this build has %d: %w", v, layoutVersion, ErrVersion)
	}
	if p := le.Uint32(b[HdrPageSize:]); p != uint32(sys.PageSize()) {
		return h, fmt.Errorf("made for pages of %d bytes, this system has %d: %w", p, sys.PageSize(), ErrVersion)
	}
	size := le.Uint64(b[HdrSize:])
	if size != fileSize {
		return h, fmt.Errorf("the header says %d bytes, the file has %d: %w", size, fileSize, ErrCorrupt)
	}
	flags := le.Uint32(b[hdrFlags:])
	if flags&^knownFlags() != 0 { // whose sum may be another, too
		return h, fmt.Errorf("flags %#x, this build has %#x: %w", flags, knownFlags(), ErrVersion)
	}
	g, err := NewGeometry(size, le.Uint32(b[hdrParticipants:]), le.Uint32(b[hdrObjects:]))
	if err == nil && size%uint64(sys.PageSize()) != 0 {
		err = fmt.Errorf("size %d, want whole pages of %d bytes", size, sys.PageSize())
	}
	if err != nil { // what is invalid in Create's options is corrupt here
		return h, fmt.Errorf("the header says %v: %w", err, ErrCorrupt)
	}
	if want, sum := HeaderSum(b[:]), le.Uint64(b[hdrSum:]); sum != want {
		return h, fmt.Errorf("the header's sum is %#016x, of these fields it would be %#016x: %w", sum, want, ErrCorrupt)
	}
	g.Flags = flags
	h = Header{Geometry: g, Created: time.Unix(0, int64(le.Uint64(b[HdrCreated:]))), Inode: le.Uint64(b[hdrInode:])}
	copy(h.ID[:], b[HdrID:])
	copy(h.Boot[:], b[HdrBoot:])
	if h.ID == (object.RegionID{}) {
		return h, fmt.Errorf("the header has no id: %w", ErrCorrupt)
	}
	return h, nil
}
