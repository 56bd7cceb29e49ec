package ring

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"example.com/tandem/internal/codec"
	"example.com/tandem/internal/mem"
)

// A Codec is how a T that is not plain becomes bytes. Its name is kept with
// the queue, and every process that opens the queue must bring a codec of the
// same name. A Codec is used by many goroutines at a time. An error of Append
// or Decode is in an [ErrCodec]; nothing that others wait for is open while
// they run.
type Codec interface {
	// Name is what tells this codec from others. It is never "", "plain",
	// "bytes", "text" or "cbor".
	Name() string
	// Append appends v's bytes to dst.
	Append(dst []byte, v any) ([]byte, error)
	// Decode sets v, which is a *T, from src. It keeps no reference to src.
	Decode(src []byte, v any) error
}

// Names of what needs no Codec.
const (
	plainName = "plain"
	bytesName = "bytes"
	textName  = "text"
	cborName  = "cbor"
)

// cborCodec is for one T, and messages of the queue's MaxMessage.
type cborCodec struct{ of codec.Encoder }

func (cborCodec) Name() string                   { return cborName }
func (cborCodec) Decode(src []byte, v any) error { return codec.Decode(src, v) }

func (c cborCodec) Append(dst []byte, v any) ([]byte, error) {
	b, err := c.of.Append(dst, v)
	if err != nil {
		err = tooLarge(err)
	}
	return b, err
}

// tooLarge is err, and ErrTooLarge if it says so.
func tooLarge(err error) error {
	var unfit *codec.Unfit
	if errors.As(err, &unfit) && unfit.Large {
		return fmt.Errorf("%w: %w", err, ErrTooLarge)
	}
	return err
}

func describeCBOR(t reflect.Type) (string, error) { return codec.Describe(t) }

// codecs are those that queues were opened with in this process, by name: a
// handle that arrives from elsewhere has none with it.
var codecs sync.Map

// RegisterCodec makes c known to this process for handles of queues, broadcasts and pipes
// that arrive as arguments of a child, which cannot bring one. It is called before proc.Main,
// which decodes them: in an init function, say. Opening one of those with a codec does the
// same. Of two with one name the later one counts.
func RegisterCodec(c Codec) { codecs.Store(c.Name(), c) }

func codecNamed(name string) (Codec, error) {
	switch name {
	case plainName, bytesName, textName, cborName:
		return nil, nil
	}
	if c, ok := codecs.Load(name); ok {
		return c.(Codec), nil
	}
	return nil, fmt.Errorf("codec %q is not registered in this process (ring.RegisterCodec, before proc.Main): %w", name, ErrCodec)
}

// buffers are for encoding and decoding. For the race detector there are none:
// that a buffer passes from one goroutine to another would order them.
var buffers sync.Pool

const bufferMost = 1 << 20 // longer ones are not kept

func takeBuffer() *[]byte {
	if !mem.RaceEnabled {
		if b, ok := buffers.Get().(*[]byte); ok {
			return b
		}
	}
	return new([]byte)
}

func giveBuffer(b *[]byte) {
	if !mem.RaceEnabled && cap(*b) <= bufferMost {
		buffers.Put(b)
	}
}
