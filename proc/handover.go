package proc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"

	"example.com/tandem/internal/codec"
	"example.com/tandem/internal/object"
)

// A child's descriptor 3 is a file without a name that its parent filled
// before it started it. So the parent never waits for a child to read, and a
// child that dies first leaves nobody hanging.
//
//	 0  uint64  interrupts: SIGINTs that Process.Signal has sent; the parent writes it
//	 8  uint64  length of the head, bytes
//	16  head    CBOR
//	..  arg     CBOR, to the end of the file
//
// Descriptors 4, 5, … are the regions, in the head's order; behind them is the flight, if
// there is one, which the child closes when it has decoded the argument.
const (
	handoverFD    = 3
	interruptsAt  = 0
	headLengthAt  = 8
	headAt        = 16
	maxHeadLength = 1 << 20
)

// The environment variable that makes a process a child: the number of
// descriptors from 3 on, the head's token, and, if the child is to end with its parent, the
// pid of that, with colons between. It is gone before any code outside this package runs, so
// the child's own children do not see it.
const childVar = "TANDEM_PROC_CHILD"

type head struct {
	Token    string // of childVar: this file is meant, not whatever is at descriptor 3
	Function string
	Name     string
	Regions  []handed
	Listed   []int // Options.Regions, as indexes into Regions
	Flight   bool  // there is one
}

// A handed region.
type handed struct {
	Key  object.RegionKey
	Name string
}

func writeHandover(f *os.File, h *head, arg []byte) error {
	b, err := codec.EncoderOf(reflect.TypeFor[head](), 0).Append(nil, *h)
	if err != nil {
		return err
	}
	if len(b) > maxHeadLength {
		return fmt.Errorf("names and regions take %d bytes, at most %d can be handed on: %w", len(b), maxHeadLength, fs.ErrInvalid)
	}
	var fixed [headAt]byte
	binary.LittleEndian.PutUint64(fixed[headLengthAt:], uint64(len(b)))
	for _, part := range [][]byte{fixed[:], b, arg} {
		if _, err := f.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// readHandover reads through offsets: the file's position is the parent's too.
func readHandover(f *os.File, token string) (*head, []byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	var fixed [headAt]byte
	if _, err := f.ReadAt(fixed[:], 0); err != nil {
		return nil, nil, err
	}
	n := binary.LittleEndian.Uint64(fixed[headLengthAt:])
	if n > maxHeadLength || int64(n) > st.Size()-headAt {
		return nil, nil, fmt.Errorf("head of %d bytes in a file of %d", n, st.Size())
	}
	rest := make([]byte, st.Size()-headAt)
	if _, err := io.ReadFull(io.NewSectionReader(f, headAt, int64(len(rest))), rest); err != nil {
		return nil, nil, err
	}
	var h head
	if err := codec.Decode(rest[:n], &h); err != nil {
		return nil, nil, err
	}
	if h.Token != token {
		return nil, nil, errors.New("it is meant for another process")
	}
	return &h, rest[n:], nil
}
