package ring

import (
	"fmt"
	"io/fs"
	"math/bits"
	"reflect"
	"strconv"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/plain"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// Wait says how a handle waits. It is the handle's and not the object's.
//
// A call that spins sees what comes within some tens of nanoseconds; one that
// sleeps is woken, which takes some 5 to 65 µs, and uses no processor meanwhile.
// Where messages come in a stream, a call that spins may let up to four
// microseconds pass after it has found none, so that many come. A lone message
// does not wait for that.
//
// And where they come faster than some ten million a second, in a ring of 1,024 messages
// or more, the two ends keep some way between them, for who works right behind the other
// waits for each line of memory: a Put, or PutBatch, that has nearly filled the ring may
// return up to 16 microseconds after it has put, and a Get, or GetBatch, that has nearly
// emptied it may take so long before it looks at the messages that are left. Not in mode
// Sleep, and a Get not in mode Spin.
type Wait int

const (
	Adaptive = Wait(wait.Adaptive) // spin for up to 150 µs, as far as that paid lately, then sleep; where it never does, see now and then for 10 ms, or 1 with one processor, whether it would
	Spin     = Wait(wait.Spin)     // latency above all: spin for a second before a sleep, if that pays or there are several processors
	Sleep    = Wait(wait.Sleep)    // a processor saved above all: do not spin
)

// QueueOptions is what a queue is made with. A zero field takes the default,
// or what is there if the queue exists.
type QueueOptions struct {
	// Capacity is how many messages the queue holds, leased ones included. 0:
	// 1024. Any number will do. Where messages were put round the ring, past one
	// that was on lease, its place is free again only when after its Ack the first
	// message that waits is taken.
	Capacity int

	// Buffer is how many bytes all messages may have together, where they are
	// not plain; those of up to 112 bytes do not count. 0: 1 MiB, at least
	// 2×MaxMessage. Put waits for either, room or bytes. It is kept in blocks
	// of Buffer/Capacity bytes (256 to 4096), and a message takes whole blocks:
	// neighbouring ones, as long as there are such, else those that there are.
	// A loan takes neighbouring ones.
	Buffer int

	// MaxMessage is how many bytes one encoded message may have. 0: 64 KiB, or
	// half of Buffer if that is less.
	MaxMessage int

	// Codec says how a T becomes bytes. nil: a plain T is copied as it is,
	// []byte and string are their bytes, and any other T goes by CBOR.
	Codec Codec

	Wait Wait
}

const (
	defaultCapacity = 1024
	defaultBuffer   = 1 << 20
	defaultMost     = 64 << 10

	capacityMost    = 1 << 28
	bufferBytesMost = 1 << 40
	messageMost     = 1 << 30

	slotMost  = 128 // bytes of the longest plain T that lies in a slot
	slotBytes = 112 // of a message of varying length: a slot of two lines
)

// How a T lies in the queue.
type form int

const (
	inSlot  form = iota // plain, as it is, in the slot
	raw                 // plain, as it is, in blocks
	asBytes             // []byte
	asText              // string
	encoded             // by a codec

	mended // inSlot, of which what is got is made valid
)

// mends is t if its messages are to be made valid once they are copied out, else nil. A peer
// may leave any byte in a bool's place, of which the compiler takes it that it is 0 or 1.
func mends(f form, t reflect.Type) *plain.Type {
	if f != inSlot && f != raw {
		return nil
	}
	d, err := plain.Describe(t)
	if err != nil || len(d.Bools) == 0 {
		return nil
	}
	return d
}

// formOf also returns the type's description and the codec's name, as they
// are kept with the queue.
func formOf(t reflect.Type, c Codec) (f form, text, name string, err error) {
	if c != nil {
		switch name = c.Name(); name {
		case "":
			return 0, "", "", fmt.Errorf("a codec without a name: %w", fs.ErrInvalid)
		case plainName, bytesName, textName, cborName:
			return 0, "", "", fmt.Errorf("a codec named %q, as what needs no codec is: %w", name, fs.ErrInvalid)
		}
		return encoded, "", name, nil // T may have another name elsewhere
	}
	if d, err := plain.Describe(t); err == nil {
		if d.Size > slotMost {
			return raw, d.Text, plainName, nil
		}
		return inSlot, d.Text, plainName, nil
	}
	switch {
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return asBytes, ". bytes", bytesName, nil
	case t.Kind() == reflect.String:
		return asText, ". text", textName, nil
	}
	text, err = describeCBOR(t)
	if err != nil {
		return 0, "", "", codecError(err)
	}
	return encoded, text, cborName, nil
}

// check refuses what no queue can be made with.
func (o *QueueOptions) check() error {
	for _, n := range []struct {
		name      string
		have, max int
	}{
		{"capacity", o.Capacity, capacityMost}, {"buffer", o.Buffer, bufferBytesMost}, {"max message", o.MaxMessage, messageMost},
	} {
		if n.have < 0 || n.have > n.max {
			return fmt.Errorf("%s %d, want 1 to %d, or 0 for the default: %w", n.name, n.have, n.max, fs.ErrInvalid)
		}
	}
	if o.Buffer != 0 && o.MaxMessage != 0 && o.Buffer/2 < o.MaxMessage {
		return fmt.Errorf("buffer %d for messages of up to %d bytes, want twice that: %w", o.Buffer, o.MaxMessage, fs.ErrInvalid)
	}
	if o.Wait < Adaptive || o.Wait > Sleep {
		return fmt.Errorf("wait %d, want Adaptive, Spin or Sleep: %w", o.Wait, fs.ErrInvalid)
	}
	return nil
}

// fill sets the fields that a new queue takes by default.
func (o *QueueOptions) fill() {
	if o.Capacity == 0 {
		o.Capacity = defaultCapacity
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = defaultMost
		if o.Buffer != 0 {
			o.MaxMessage = max(min(defaultMost, o.Buffer/2), 1)
		}
	}
	if o.Buffer == 0 {
		o.Buffer = max(defaultBuffer, 2*o.MaxMessage)
	}
}

// config is the engine's configuration for a T of size bytes.
func (o *QueueOptions) config(f form, size int) engine.QueueConfig {
	c := engine.QueueConfig{Slots: o.Capacity}
	switch f {
	case inSlot:
		c.Room = size
	case raw: // one block each, or few; room for Capacity
		c.Room = 16
		c.BlockSize = min((size+63)/64*64, 1<<16)
		c.Blocks = o.Capacity * ((size + c.BlockSize - 1) / c.BlockSize)
		c.MaxMessage = size
	default:
		c.Room = slotBytes
		c.BlockSize = 1 << (bits.Len(uint(o.Buffer/o.Capacity)|1) - 1)
		c.BlockSize = min(max(c.BlockSize, 256), 4096)
		c.MaxMessage = o.MaxMessage
		c.Blocks = max(o.Buffer/c.BlockSize, 2*((c.MaxMessage+c.BlockSize-1)/c.BlockSize))
	}
	return c
}

// fields is what is kept with the queue, and compared.
func (o *QueueOptions) fields(f form, text, codec string) []object.Field {
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	fs := []object.Field{{Name: "type", Value: text}, {Name: "codec", Value: codec}, {Name: "capacity", Value: number(o.Capacity)}}
	if f != inSlot && f != raw {
		fs = append(fs, object.Field{Name: "buffer", Value: number(o.Buffer)}, object.Field{Name: "max message", Value: number(o.MaxMessage)})
	}
	return fs
}

// spec is what a queue of T is opened with, and how a T lies in it.
func (o *QueueOptions) spec(name string, t reflect.Type) (s object.Spec, f form, err error) {
	if err := o.check(); err != nil {
		return s, f, err
	}
	f, text, codec, err := formOf(t, o.Codec)
	if err != nil {
		return s, f, err
	}
	made := *o
	return object.Spec{Op: opOpen, Kind: engine.KindQueue, Name: name, Fields: o.fields(f, text, codec),
		Create: func(participants int) ([]object.Field, uint64, func(mem.Area), error) {
			made.fill()
			c := made.config(f, int(t.Size()))
			c.Rows = participants
			if c.Size() == 0 {
				return nil, 0, nil, fmt.Errorf("capacity %d, buffer %d, messages of %d bytes, more than any region holds: %w", made.Capacity, made.Buffer, c.MaxMessage, shm.ErrNoSpace)
			}
			return made.fields(f, text, codec), c.Size(), c.Init, nil
		}}, f, nil
}
