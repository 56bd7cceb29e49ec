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
	"example.com/tandem/shm"
)

// BroadcastMode says who gives way when a subscriber is slow.
type BroadcastMode int

const (
	Reliable BroadcastMode = 1 + iota // the publishers: nobody misses a message
	Lossy                             // the subscriber: it misses the oldest messages
)

// modeNames are kept with the broadcast.
var modeNames = [...]string{"", Reliable: "reliable", Lossy: "lossy"}

// BroadcastOptions is what a broadcast is made with. A zero field takes the default, or what
// is there if the broadcast exists.
type BroadcastOptions struct {
	Mode BroadcastMode // 0: Reliable

	// Capacity is how many messages the ring holds. 0: 1024. Any number will do.
	Capacity int

	// Buffer is how many bytes all messages may have together, where T is not plain. 0: 1
	// MiB, at least 2×MaxMessage. Where it is too short for a message the oldest one goes
	// before its time; of a Reliable broadcast only what all have seen, and Publish waits.
	// It is kept in blocks of Buffer/Capacity bytes (64 to 4096), and a message takes whole
	// blocks, for its bytes and 16 more.
	Buffer int

	// MaxMessage is how many bytes one encoded message may have. 0: 64 KiB, or half of
	// Buffer if that is less.
	MaxMessage int

	// Codec says how a T becomes bytes, as in QueueOptions.
	Codec Codec

	Wait Wait
}

// queue is what is the same of a queue.
func (o *BroadcastOptions) queue() QueueOptions {
	return QueueOptions{Capacity: o.Capacity, Buffer: o.Buffer, MaxMessage: o.MaxMessage, Codec: o.Codec, Wait: o.Wait}
}

func (o *BroadcastOptions) check() error {
	q := o.queue()
	if err := q.check(); err != nil {
		return err
	}
	if o.Mode < 0 || o.Mode > Lossy {
		return fmt.Errorf("mode %d, want Reliable or Lossy: %w", o.Mode, fs.ErrInvalid)
	}
	return nil
}

// subscribersOf is how many there may be in a region of so many participants.
func subscribersOf(participants int) int { return max(64, 2*participants) }

// config is the engine's configuration for a T of size bytes. Where T is plain there are
// blocks for the ring and one more message of each participant.
func (o *BroadcastOptions) config(f form, size, participants int) engine.BroadcastConfig {
	c := engine.BroadcastConfig{Slots: o.Capacity, Reliable: o.Mode == Reliable, Rows: participants, Subscribers: subscribersOf(participants)}
	const words = 16 // of each message
	if f == raw {
		c.Fixed, c.MaxMessage = true, size
		c.BlockSize = min((size+words+63)/64*64, 1<<16)
		c.Blocks = (o.Capacity + participants) * ((size + words + c.BlockSize - 1) / c.BlockSize)
		return c
	}
	c.MaxMessage = o.MaxMessage
	c.BlockSize = 1 << (bits.Len(uint(o.Buffer/o.Capacity)|1) - 1)
	c.BlockSize = min(max(c.BlockSize, 64), 4096)
	c.Blocks = max(o.Buffer/c.BlockSize, 2*((c.MaxMessage+words+c.BlockSize-1)/c.BlockSize))
	return c
}

// fields is what is kept with the broadcast, and compared.
func (o *BroadcastOptions) fields(f form, text, codec string) []object.Field {
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	fs := []object.Field{{Name: "type", Value: text}, {Name: "codec", Value: codec},
		{Name: "mode", Value: modeNames[o.Mode]}, {Name: "capacity", Value: number(o.Capacity)}}
	if f != raw {
		fs = append(fs, object.Field{Name: "buffer", Value: number(o.Buffer)}, object.Field{Name: "max message", Value: number(o.MaxMessage)})
	}
	return fs
}

// spec is what a broadcast of T is opened with, and how a T is a message.
func (o *BroadcastOptions) spec(name string, t reflect.Type) (s object.Spec, f form, err error) {
	if err := o.check(); err != nil {
		return s, f, err
	}
	f, text, codec, err := formOf(t, o.Codec)
	if err != nil {
		return s, f, err
	}
	if f == inSlot {
		f = raw // there are no bytes in slots
	}
	made := *o
	return object.Spec{Op: opOpenBroadcast, Kind: engine.KindBroadcast, Name: name, Fields: o.fields(f, text, codec),
		Create: func(participants int) ([]object.Field, uint64, func(mem.Area), error) {
			q := made.queue()
			q.fill()
			made.Capacity, made.Buffer, made.MaxMessage = q.Capacity, q.Buffer, q.MaxMessage
			if made.Mode == 0 {
				made.Mode = Reliable
			}
			c := made.config(f, int(t.Size()), participants)
			if c.Size() == 0 {
				return nil, 0, nil, fmt.Errorf("capacity %d, buffer %d, messages of %d bytes, more than any region holds: %w", made.Capacity, made.Buffer, c.MaxMessage, shm.ErrNoSpace)
			}
			return made.fields(f, text, codec), c.Size(), c.Init, nil
		}}, f, nil
}
