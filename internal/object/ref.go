package object

import (
	"fmt"
	"io/fs"

	"github.com/fxamacker/cbor/v2"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/sys"
)

// A Ref is a handle on its way to another process of this machine: which
// region, which object. The region itself travels as a descriptor (package proc
// hands it over) and is found again by its ID and its file: a copy of the file
// has the ID, too. An object is found again by its name, and known by its
// generation: the name may have been given to another meanwhile.
type Ref struct {
	Region     RegionID `cbor:"1,keyasint"`
	Kind       uint32   `cbor:"2,keyasint,omitempty"` // 0: the region itself
	Object     string   `cbor:"3,keyasint,omitempty"`
	Generation uint64   `cbor:"4,keyasint,omitempty"` // of its directory entry; 0: an earlier build did not say
	Lock       uint64   `cbor:"5,keyasint,omitempty"` // a Cond's: generation of the object that its lock is; 0: of its own
	Dev        uint64   `cbor:"6,keyasint,omitempty"` // the region's file; 0, 0: an earlier build did not say
	Ino        uint64   `cbor:"7,keyasint,omitempty"`
	End        int      `cbor:"8,keyasint,omitempty"` // of a pipe
}

// On makes r a handle on something in the region k.
func (r Ref) On(k RegionKey) Ref {
	r.Region, r.Dev, r.Ino = k.ID, k.File.Dev, k.File.Ino
	return r
}

// Key is the region that r is on.
func (r Ref) Key() RegionKey { return RegionKey{r.Region, sys.FileID{Dev: r.Dev, Ino: r.Ino}} }

// A RegionKey tells regions apart that are open at one time on one machine.
type RegionKey struct {
	ID   RegionID
	File sys.FileID // none in what an earlier build marshalled
}

// RegionID is the random number that a region gets at its creation.
type RegionID [16]byte

func (id RegionID) String() string { return fmt.Sprintf("%x", id[:]) }

// Marshal encodes r for a MarshalBinary, and tells the call that is collecting
// the regions that an argument mentions.
func (r Ref) Marshal() ([]byte, error) {
	collect(r.Key())
	return cbor.Marshal(r)
}

func Unmarshal(b []byte) (Ref, error) {
	var r Ref
	if err := cbor.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%d bytes that are no handle (%v): %w", len(b), err, fs.ErrInvalid)
	}
	return r, nil
}

// UnmarshalFor is Unmarshal for a handle on an object of one kind, or on a
// region where kind is 0. The error is that of op.
func UnmarshalFor(op string, kind engine.Kind, b []byte) (Ref, error) {
	r, err := Unmarshal(b)
	if err == nil && r.Kind != uint32(kind) {
		err = fmt.Errorf("%w: a handle on %s, want one on %s", ErrMismatch, r.what(), Ref{Kind: uint32(kind)}.what())
	}
	if err != nil {
		return r, &Error{Op: op, Object: r.Object, Err: err}
	}
	return r, nil
}

func (r Ref) what() string {
	switch k := engine.Kind(r.Kind); {
	case r.Kind == 0:
		return "a region"
	case k == engine.KindArray, k == engine.KindEvent, k == engine.KindRMutex, k == engine.KindRWMutex, k == engine.KindSPSC:
		return fmt.Sprintf("an %v", k)
	default:
		return fmt.Sprintf("a %v", k)
	}
}
