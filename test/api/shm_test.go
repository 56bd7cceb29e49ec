package api_test

import (
	"context"
	"io/fs"
	"iter"
	"os"
	"testing"
	"time"

	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

// Package shm.
var (
	_ = shm.Options{
		Size:         int64(0),
		Mode:         fs.FileMode(0),
		AnyOwner:     false,
		Participants: int(0),
		Objects:      int(0),
		ReadOnly:     false,
		Ephemeral:    false,
	}
	_ func(string, *shm.Options) (*shm.Region, error)   = shm.Create
	_ func(string, *shm.Options) (*shm.Region, error)   = shm.Open
	_ func(string, *shm.Options) (*shm.Region, error)   = shm.OpenOrCreate
	_ func(*shm.Options) (*shm.Region, error)           = shm.Anonymous
	_ func(*os.File, *shm.Options) (*shm.Region, error) = shm.OpenFile
	_ func(string) error                                = shm.Remove
	_ func() ([]shm.Info, error)                        = shm.List
	_ func() string                                     = shm.Dir

	_ func(*shm.Region) error                          = (*shm.Region).Close
	_ func(*shm.Region) *shm.Region                    = (*shm.Region).Existing
	_ func(*shm.Region) string                         = (*shm.Region).Name
	_ func(*shm.Region) int64                          = (*shm.Region).Size
	_ func(*shm.Region) (*os.File, error)              = (*shm.Region).File
	_ func(*shm.Region, string) error                  = (*shm.Region).Remove
	_ func(*shm.Region) iter.Seq[shm.Object]           = (*shm.Region).Objects
	_ func(*shm.Region) shm.Participant                = (*shm.Region).Self
	_ func(*shm.Region) []shm.Participant              = (*shm.Region).Participants
	_ func(*shm.Region, ctx) iter.Seq[shm.Participant] = (*shm.Region).Exits
	_ func(*shm.Region) (*shm.Snapshot, error)         = (*shm.Region).Snapshot
	_ func(*shm.Region) error                          = (*shm.Region).Check
	_ handle                                           = (*shm.Region)(nil)
	_ func(testing.TB) *shm.Region                     = shmtest.Region
	_                                                  = shm.Object{Name: "", Kind: "", Type: "", Bytes: int64(0)}
	_                                                  = shm.Error{Op: "", Region: "", Object: "", Err: error(nil)}
	_ interface{ Unwrap() error }                      = (*shm.Error)(nil)
	_ error                                            = (*shm.Error)(nil)
	_                                                  = shm.Participant{Index: int(0), Epoch: uint32(0), PID: int(0), Name: "", Started: time.Time{}, State: shm.State(0)}
	_ [3]shm.State                                     = [...]shm.State{shm.Alive, shm.Leaving, shm.Dead}
	_ [8]error                                         = [...]error{shm.ErrClosed, shm.ErrMismatch, shm.ErrNotRegion, shm.ErrVersion, shm.ErrCorrupt, shm.ErrNoSpace, shm.ErrTooManyParticipants, shm.ErrNotPlain}
	_ [3]error                                         = [...]error{shm.ErrOwnerDied, shm.ErrNotOwner, shm.ErrNotLocked}
)

// Package shm: waiting for one of several.
var (
	_ func(ctx, ...shm.Waitable) (int, error) = shm.WaitAny
	_                                         = []shm.Waitable{
		(*tsync.Event)(nil), (*tsync.Semaphore)(nil), (*tsync.BoundedSemaphore)(nil),
		(*ring.Queue[msg])(nil), (*ring.SPSC[msg])(nil), (*ring.Subscriber[msg])(nil), (*ring.Conn[msg])(nil), (*proc.Process)(nil),
	}
	_ = []interface{ Poll(context.Context) error }{(*ring.Queue[msg])(nil), (*ring.SPSC[msg])(nil), (*ring.Subscriber[msg])(nil), (*ring.Conn[msg])(nil)}
)

// Package shm: what a program, or the tool, sees of others.
var (
	_ func() ([]shm.Info, error)                   = shm.ListAll
	_ func([]shm.Info) string                      = shm.ListText
	_ func(*shm.Snapshot) string                   = (*shm.Snapshot).String
	_ func(*shm.Snapshot, string) *shm.ObjectState = (*shm.Snapshot).Object
	_ func(*shm.Snapshot, *shm.ObjectState) string = (*shm.Snapshot).ObjectText
	_ []shm.Departed                               = shm.Snapshot{}.Gone
	_ []shm.Holder                                 = shm.ObjectState{}.Waits
	_                                              = shm.Holder{PID: 0, N: 0, Since: time.Time{}, Dead: false, Stopped: false}
	_ func(*shm.Region, string) int                = shmtest.Waiting
	_ func(testing.TB, *shm.Region, string, int)   = shmtest.AwaitWaiting
)
