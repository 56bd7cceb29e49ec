package ring

import (
	"fmt"
	"io/fs"
	"reflect"
	"strconv"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// End is an end of a pipe.
type End int

const (
	Left End = 1 + iota
	Right
)

func (e End) String() string {
	switch e {
	case Left:
		return "left"
	case Right:
		return "right"
	}
	return fmt.Sprintf("end %d", int(e))
}

// side is the engine's name for it.
func (e End) side() int {
	if e == Left {
		return engine.PipeLeft
	}
	return engine.PipeRight
}

// Direction says which way messages go through a pipe.
type Direction int

const (
	Duplex Direction = 1 + iota // both
	OneWay                      // Left sends, Right receives
)

// directionNames are kept with the pipe.
var directionNames = [...]string{"", Duplex: "duplex", OneWay: "one way"}

// PipeOptions is what a pipe is made with. A zero field takes the default, or what is
// there if the pipe exists.
type PipeOptions struct {
	Direction Direction // 0: Duplex

	// Buffer is how many bytes there are for messages, each way. A message takes its own
	// and 8, in multiples of 8, so that one of Buffer less 8 bytes is the longest. 0: 64
	// KiB, or what a plain T takes that is longer.
	Buffer int

	// Codec says how a T becomes bytes, as in QueueOptions.
	Codec Codec
}

const (
	defaultPipe = 64 << 10
	frameBytes  = 8 // of each message
)

// check refuses what no pipe of messages of that form and size can be made with.
func (o *PipeOptions) check(end End, f form, size int) error {
	switch {
	case end != Left && end != Right:
		return fmt.Errorf("%v, want Left or Right: %w", end, fs.ErrInvalid)
	case o.Direction < 0 || o.Direction > OneWay:
		return fmt.Errorf("direction %d, want Duplex or OneWay: %w", int(o.Direction), fs.ErrInvalid)
	case o.Buffer != 0 && (o.Buffer < frameBytes || o.Buffer > bufferBytesMost):
		return fmt.Errorf("buffer %d, want %d to %d, or 0 for the default: %w", o.Buffer, frameBytes, bufferBytesMost, fs.ErrInvalid)
	case o.Buffer != 0 && f == raw && o.Buffer-frameBytes < size:
		return fmt.Errorf("buffer %d for messages of %d bytes, want %d: %w", o.Buffer, size, size+frameBytes, fs.ErrInvalid)
	}
	return nil
}

// fields is what is kept with the pipe, and compared.
func (o *PipeOptions) fields(text, codec string) []object.Field {
	buffer := ""
	if o.Buffer != 0 {
		buffer = strconv.Itoa(o.Buffer)
	}
	return []object.Field{{Name: "type", Value: text}, {Name: "codec", Value: codec},
		{Name: "direction", Value: directionNames[o.Direction]}, {Name: "buffer", Value: buffer}}
}

// spec is what a pipe of T is opened with, and how a T is a message.
func (o *PipeOptions) spec(name string, end End, t reflect.Type) (s object.Spec, f form, err error) {
	f, text, codec, err := formOf(t, o.Codec)
	if err != nil {
		return s, f, err
	}
	if f == inSlot {
		f = raw // there are no slots
	}
	if err := o.check(end, f, int(t.Size())); err != nil {
		return s, f, err
	}
	made := *o
	return object.Spec{Op: opOpenPipe, Kind: engine.KindPipe, Name: name, Fields: o.fields(text, codec),
		Create: func(participants int) ([]object.Field, uint64, func(mem.Area), error) {
			if made.Direction == 0 {
				made.Direction = Duplex
			}
			if made.Buffer == 0 {
				made.Buffer = defaultPipe
				if f == raw {
					made.Buffer = max(made.Buffer, int(t.Size())+frameBytes)
				}
			}
			c := engine.PipeConfig{Buffer: made.Buffer, Duplex: made.Direction == Duplex, Participants: participants}
			if c.Size() == 0 {
				return nil, 0, nil, fmt.Errorf("buffer %d, more than any region holds: %w", made.Buffer, shm.ErrNoSpace)
			}
			return made.fields(text, codec), c.Size(), c.Init, nil
		}}, f, nil
}
