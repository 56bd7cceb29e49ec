// Package api_test holds the public API still. It uses every name and
// signature that programs are written against; a build that changes one does
// not compile here.
package api_test

import (
	"context"
	"encoding"
	"errors"
	"io"
	"io/fs"
	"os"
	"reflect"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

// A handle is what travels to a child as an argument.
type handle interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// What is opened can be closed.
var _ = []io.Closer{
	(*shm.Region)(nil),
	(*tsync.Mutex)(nil), (*tsync.RMutex)(nil), (*tsync.RWMutex)(nil), (*tsync.Cond)(nil), (*tsync.Semaphore)(nil),
	(*tsync.BoundedSemaphore)(nil), (*tsync.Event)(nil), (*tsync.Barrier)(nil), (*tsync.Once)(nil),
	(*atomics.Value[int])(nil), (*atomics.Array[int])(nil), (*atomics.Slice[int])(nil),
	(*ring.Queue[int])(nil), (*ring.SPSC[int])(nil),
	(*ring.Broadcast[int])(nil), (*ring.Subscriber[int])(nil), (*ring.Conn[int])(nil),
}

type (
	ctx  = context.Context
	msg  struct{ A, B int64 }
	args struct{ Jobs *ring.Queue[msg] }
)

// Package proc.
var (
	_ func(string, func(ctx, args) error) proc.Func[args]                    = proc.Register[args]
	_ func()                                                                 = proc.Main
	_ func(proc.Func[args], ctx, args, *proc.Options) (*proc.Process, error) = proc.Func[args].Start
	_                                                                        = proc.Options{
		Name:       "",
		Stdin:      io.Reader(nil),
		Stdout:     io.Writer(nil),
		Stderr:     io.Writer(nil),
		Env:        []string(nil),
		Dir:        "",
		Regions:    []*shm.Region(nil),
		Grace:      time.Duration(0),
		KeepOnExit: false,
	}
	_ func(*proc.Process, ctx) error       = (*proc.Process).Wait
	_ func(*proc.Process) int              = (*proc.Process).PID
	_ func(*proc.Process) string           = (*proc.Process).Name
	_ func(*proc.Process) (int, bool)      = (*proc.Process).ExitCode
	_ func(*proc.Process) bool             = (*proc.Process).Alive
	_ func(*proc.Process) <-chan struct{}  = (*proc.Process).Done
	_ func(*proc.Process, os.Signal) error = (*proc.Process).Signal
	_ func(*proc.Process) error            = (*proc.Process).Terminate
	_ func(*proc.Process) error            = (*proc.Process).Kill
	_ func() []*shm.Region                 = proc.Regions
	_ func(ctx) error                      = proc.WaitAll
	_ error                                = (*proc.ExitError)(nil)
	_                                      = proc.ExitError{Code: int(0), Signal: os.Signal(nil)}
	_ error                                = proc.ErrNoMain
)

// The zero of Wait is Adaptive, that of State nobody's.
var (
	_ [0]struct{} = [ring.Adaptive]struct{}{}
	_ [1]struct{} = [shm.Alive]struct{}{}
)

// What a caller compares with errors.Is are one value under each name, and
// different ones otherwise.
func TestSentinels(t *testing.T) {
	if tsync.ErrOwnerDied != shm.ErrOwnerDied || tsync.ErrNotOwner != shm.ErrNotOwner || tsync.ErrNotLocked != shm.ErrNotLocked {
		t.Error("sync's sentinels are not shm's")
	}
	all := []error{shm.ErrClosed, shm.ErrMismatch, shm.ErrNotRegion, shm.ErrVersion, shm.ErrCorrupt, shm.ErrNoSpace,
		shm.ErrTooManyParticipants, shm.ErrNotPlain, shm.ErrOwnerDied, shm.ErrNotOwner, shm.ErrNotLocked, tsync.ErrOverRelease,
		ring.ErrFull, ring.ErrEmpty, ring.ErrTooLarge, ring.ErrShutdown, ring.ErrOverDone, ring.ErrBusy, ring.ErrCodec, proc.ErrNoMain,
		fs.ErrInvalid, fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, errors.ErrUnsupported, io.EOF}
	for i, a := range all {
		for _, b := range all[:i] {
			if errors.Is(a, b) || errors.Is(b, a) {
				t.Errorf("%v and %v are one", a, b)
			}
		}
	}
}

// The structs that callers write have no fields besides those above, so that
// none is needed.
func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		of   any
		want []string
	}{
		{shm.Options{}, []string{"Size", "Mode", "AnyOwner", "Participants", "Objects", "ReadOnly", "Ephemeral"}},
		{shm.Error{}, []string{"Op", "Region", "Object", "Err"}},
		{shm.Participant{}, []string{"Index", "Epoch", "PID", "Name", "Started", "State"}},
		{ring.QueueOptions{}, []string{"Capacity", "Buffer", "MaxMessage", "Codec", "Wait"}},
		{ring.SPSCOptions{}, []string{"Capacity", "Wait"}},
		{ring.PipeOptions{}, []string{"Direction", "Buffer", "Codec"}},
		{ring.ListenOptions{}, []string{"Buffer", "Backlog"}},
		{ring.BroadcastOptions{}, []string{"Mode", "Capacity", "Buffer", "MaxMessage", "Codec", "Wait"}},
		{proc.Options{}, []string{"Name", "Stdin", "Stdout", "Stderr", "Env", "Dir", "Regions", "Grace", "KeepOnExit"}},
	} {
		typ := reflect.TypeOf(tt.of)
		var have []string
		for i := range typ.NumField() {
			have = append(have, typ.Field(i).Name)
		}
		if !reflect.DeepEqual(have, tt.want) {
			t.Errorf("%v has %v, want %v", typ, have, tt.want)
		}
	}
}
