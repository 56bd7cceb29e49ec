package object

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// A Ref is a handle on its way to another process: which region, which
// object. The region itself travels as a descriptor (package proc hands it
// over) and is found again by its ID.
type Ref struct {
	Region RegionID `cbor:"1,keyasint"`
	Kind   uint32   `cbor:"2,keyasint,omitempty"` // 0: the region itself
	Object string   `cbor:"3,keyasint,omitempty"`
}

// RegionID is the random number that a region gets at its creation.
type RegionID [16]byte

func (id RegionID) String() string { return fmt.Sprintf("%x", id[:]) }

// Marshal encodes r for a MarshalBinary, and tells whoever is collecting the
// regions that an argument mentions.
func (r Ref) Marshal() ([]byte, error) {
	collect(r.Region)
	return cbor.Marshal(r)
}

func Unmarshal(b []byte) (Ref, error) {
	var r Ref
	if err := cbor.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("not a handle: %w", err)
	}
	return r, nil
}
