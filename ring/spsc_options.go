package ring

import (
	"fmt"
	"io/fs"
	"reflect"
	"strconv"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/plain"
	"example.com/tandem/shm"
)

// SPSCOptions is what an SPSC is made with. A zero field takes the default, or what is
// there if the ring exists.
type SPSCOptions struct {
	// Capacity is how many messages the ring holds. 0: 1024. Any number will do.
	Capacity int

	Wait Wait
}

func (o *SPSCOptions) check() error {
	if o.Capacity < 0 || o.Capacity > capacityMost {
		return fmt.Errorf("capacity %d, want 1 to %d, or 0 for the default: %w", o.Capacity, capacityMost, fs.ErrInvalid)
	}
	if o.Wait < Adaptive || o.Wait > Sleep {
		return fmt.Errorf("wait %d, want Adaptive, Spin or Sleep: %w", o.Wait, fs.ErrInvalid)
	}
	return nil
}

// spec is what an SPSC of T is opened with.
func (o *SPSCOptions) spec(name string, t reflect.Type) (s object.Spec, err error) {
	if err := o.check(); err != nil {
		return s, err
	}
	d, err := plain.Describe(t)
	if err != nil {
		return s, err
	}
	fields := func(capacity int) []object.Field {
		text := ""
		if capacity != 0 {
			text = strconv.Itoa(capacity)
		}
		return []object.Field{{Name: "type", Value: d.Text}, {Name: "capacity", Value: text}}
	}
	made := o.Capacity
	return object.Spec{Op: opOpenSPSC, Kind: engine.KindSPSC, Name: name, Fields: fields(o.Capacity),
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			if made == 0 {
				made = defaultCapacity
			}
			c := engine.SPSCConfig{Slots: made, Room: int(t.Size())}
			if c.Size() == 0 {
				return nil, 0, nil, fmt.Errorf("capacity %d, messages of %d bytes, more than any region holds: %w", made, c.Room, shm.ErrNoSpace)
			}
			return fields(made), c.Size(), c.Init, nil
		}}, nil
}
