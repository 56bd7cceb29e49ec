package ring

import (
	"fmt"
	"io/fs"
	"strconv"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// ListenOptions is what a listener is made with. A zero field takes the default, or what
// is there if the object exists.
type ListenOptions struct {
	// Buffer is how many bytes there are for what was written and not yet read, each way,
	// of each connection. 0: 256 KiB. A multiple of 64, or what is next above. Who sends
	// megabytes wants more than a processor's own cache, twice 2 MiB, say: bytes then pass
	// through the cache that the processors share, several times as fast.
	Buffer int

	// Backlog is how many connections may wait for an Accept. Who dials then waits for
	// that, too. 0: 128.
	Backlog int
}

const (
	defaultStream  = 256 << 10
	defaultBacklog = 128

	streamUnit  = 64
	streamMost  = 1 << 30
	backlogMost = 1 << 20
)

func (o *ListenOptions) check() error {
	switch {
	case o.Buffer < 0 || o.Buffer > streamMost:
		return fmt.Errorf("buffer %d, want 1 to %d, or 0 for %d: %w", o.Buffer, streamMost, defaultStream, fs.ErrInvalid)
	case o.Backlog < 0 || o.Backlog > backlogMost:
		return fmt.Errorf("backlog %d, want 1 to %d, or 0 for %d: %w", o.Backlog, backlogMost, defaultBacklog, fs.ErrInvalid)
	}
	return nil
}

// whole is o with the defaults.
func (o ListenOptions) whole() ListenOptions {
	if o.Buffer == 0 {
		o.Buffer = defaultStream
	}
	if o.Backlog == 0 {
		o.Backlog = defaultBacklog
	}
	o.Buffer = (o.Buffer + streamUnit - 1) &^ (streamUnit - 1)
	return o
}

const (
	fieldBuffer  = "buffer"
	fieldBacklog = "backlog"
)

// spec is what a listener is opened with: as it is there.
func (o ListenOptions) spec(name string) object.Spec {
	return object.Spec{Op: opListen, Kind: engine.KindListener, Name: name,
		Fields: []object.Field{{Name: fieldBuffer}, {Name: fieldBacklog}},
		Create: func(participants int) ([]object.Field, uint64, func(mem.Area), error) {
			o := o.whole()
			c := engine.ListenerConfig{Backlog: o.Backlog, Rows: participants}
			if c.Size() == 0 {
				return nil, 0, nil, fmt.Errorf("backlog %d, more than any region holds: %w", o.Backlog, shm.ErrNoSpace)
			}
			return []object.Field{{Name: fieldBuffer, Value: strconv.Itoa(o.Buffer)}, {Name: fieldBacklog, Value: strconv.Itoa(o.Backlog)}},
				c.Size(), c.Init, nil
		}}
}

// differs says in what an object that is there is another than o asks for.
func (o ListenOptions) differs(core *object.Core) error {
	w := o.whole()
	for _, f := range []struct {
		name        string
		asked, want int
	}{{fieldBuffer, o.Buffer, w.Buffer}, {fieldBacklog, o.Backlog, w.Backlog}} {
		if is := core.Field(f.name); f.asked != 0 && is != strconv.Itoa(f.want) {
			return fmt.Errorf("%w: %s: %d here, %s in the region", shm.ErrMismatch, f.name, f.want, is)
		}
	}
	return nil
}
