package sync

import (
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// An RMutex is a reentrant lock: its holder may lock it again, and holds it
// until it has unlocked as often. Goroutines have no identity, so the holder is
// a [Holder]: one call chain's claim, handed down the chain as a context is.
//
//	func (b *book) add(ctx context.Context, h *sync.Holder, e entry) error {
//		if err := h.Lock(ctx); err != nil { // the caller may hold it, or not
//			return err
//		}
//		defer h.Unlock()
//		…
//	}
//
// Where nothing is locked twice a [Mutex] is simpler. What a death does, and what
// is ordered, stands at [Holder].
type RMutex struct {
	handle
	mu engine.RMutex
}

// OpenRMutex finds the reentrant mutex called name in r, or makes it,
// unlocked. It blocks, and fails, as every OpenX does: see package shm.
func OpenRMutex(r *shm.Region, name string) (*RMutex, error) {
	m := new(RMutex)
	if err := m.open(r, name); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *RMutex) open(r *shm.Region, name string) error {
	return open(&m.handle, &m.mu, r, object.Spec{Op: "sync.OpenRMutex", Kind: engine.KindRMutex, Name: name,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.RMutexSize, engine.InitRMutex, nil
		}}, func(c *object.Core) (*engine.RMutex, error) { return engine.AttachRMutex(c.Area, c.Env) })
}

// NewHolder makes a holder, which has not locked. It belongs to one call chain:
// goroutines that shall exclude each other need one each. It cannot be handed
// to another process; the RMutex can.
func (m *RMutex) NewHolder() *Holder { return newHolder(m.handle, m.mu) }

// Owner is the process one of whose holders has the mutex at this instant; it
// may be dead already. false if nobody has. It does not block.
func (m *RMutex) Owner() (shm.Participant, bool) { return m.participant(m.mu.Owner) }

// MarshalBinary makes the handle an argument; see [Mutex.MarshalBinary].
func (m *RMutex) MarshalBinary() ([]byte, error) { return m.marshal("rmutex.MarshalBinary") }

// UnmarshalBinary opens the reentrant mutex that another process's handle was
// on; see [Mutex.UnmarshalBinary].
func (m *RMutex) UnmarshalBinary(b []byte) error {
	return unmarshal("rmutex.UnmarshalBinary", engine.KindRMutex, b, m.open)
}
