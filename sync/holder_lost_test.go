package sync

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/shm/shmtest"
)

// Once another holder of the process has what was taken from one, that one
// unlocks nothing.
func TestHolderLostToAnother(t *testing.T) {
	m, err := OpenRMutex(shmtest.Region(t), "m")
	if err != nil {
		t.Fatal(err)
	}
	h, other := m.NewHolder(), m.NewHolder()
	if err := h.Lock(context.Background()); err != nil {
		t.Fatal(err)
	}
	mem.Store64(h.core.Area.W64(0), 0)
	if err := other.Lock(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := h.Lock(context.Background()); !errors.Is(err, ErrNotOwner) {
		t.Errorf("Lock, once more, of what another holder has by now = %v", err)
	}
	if err := h.Unlock(); !errors.Is(err, ErrNotOwner) {
		t.Errorf("Unlock of what another holder has by now = %v", err)
	}
	if !other.mu.Mine() || other.Depth() != 1 {
		t.Errorf("the other one has it to depth %d, and the word says %v", other.Depth(), other.mu.Mine())
	}
	if err := other.Unlock(); err != nil {
		t.Error(err)
	}
}

// An operator can take a lock from its holder. The holder is told at its next
// call, and does not go on as if it had the lock, or take it a second time.
func TestHolderLost(t *testing.T) {
	for name, word := range map[string]uint64{
		"and nobody has it":      0,
		"and another process":    7<<32 | 900,
		"and the index's former": 1<<32 | 1,
	} {
		for call, f := range map[string]func(h *Holder) error{
			"Lock": func(h *Holder) error { return h.Lock(context.Background()) },
			"TryLock": func(h *Holder) error {
				ok, err := h.TryLock()
				if ok {
					t.Errorf("TryLock %s: it has it", name)
				}
				return err
			},
			"Recover":        func(h *Holder) error { _, err := h.Recover(context.Background()); return err },
			"Unlock":         (*Holder).Unlock,
			"MarkConsistent": (*Holder).MarkConsistent,
		} {
			t.Run(call+" "+name, func(t *testing.T) {
				m, err := OpenRMutex(shmtest.Region(t), "m")
				if err != nil {
					t.Fatal(err)
				}
				h := m.NewHolder()
				if err := h.Lock(context.Background()); err != nil {
					t.Fatal(err)
				}
				w := h.core.Area.W64(0)
				mine := mem.Load64(w)
				if word == 1<<32|1 { // this process's index, with another epoch
					word = mine ^ 1<<33
				}
				mem.Store64(w, word)
				err = f(h)
				if call == "MarkConsistent" && word == 0 {
					if !errors.Is(err, ErrNotLocked) {
						t.Errorf("%v, want ErrNotLocked", err)
					}
				} else if !errors.Is(err, ErrNotOwner) {
					t.Errorf("%v, want ErrNotOwner", err)
				}
				if now := mem.Load64(w); now != word {
					t.Errorf("the word was %#x and is %#x", word, now)
				}
				mem.Store64(w, 0)
			})
		}
	}
}
