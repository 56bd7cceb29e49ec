package codec

import (
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// Keys: two that differ in Go may be one when they arrive, as int 1 and uint8 1
// in a map[any]int do, or two with one text of their own. One of their values
// would be lost, so such a map is refused.

// loose reports that keys of type t may arrive as one.
func loose(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		return false // each arrives as a pointer of its own
	}
	if p := reflect.PointerTo(t); t == timeType || p.Implements(cborMarshaler) || p.Implements(binaryMarshaler) || p.Implements(textMarshaler) {
		return true
	}
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Array:
		return loose(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if _, _, zero := tagOf(f); omitted(f) || zero || f.Name != "_" && loose(f.Type) {
				return true
			}
		}
	}
	return false
}

// A keySet is which keys of a map have been seen.
type keySet struct {
	encoded map[string]bool
	decoded map[any]bool // where they decode into an interface
}

// add is for k, which has an end. generic is whether it decodes into an interface.
func (s *keySet) add(k reflect.Value, generic bool) error {
	b, err := encMode.Marshal(zoned(k.Interface()))
	if err != nil {
		return err
	}
	if s.encoded == nil {
		s.encoded, s.decoded = map[string]bool{}, map[any]bool{}
	}
	if generic {
		var m map[any]any
		if err := decMode.Unmarshal(append([]byte{0xa1}, append(b, 0xf6)...), &m); err != nil {
			return &Unfit{why: fmt.Sprintf("a map in an interface has a key of type %s, and would not decode: %v", inner(k).Type(), err)}
		}
		for d := range m {
			if d != d { // NaN, which no other equals
				return nil
			}
			if s.decoded[d] {
				return twice(k, b)
			}
			s.decoded[d] = true
		}
	}
	if s.encoded[string(b)] {
		return twice(k, b)
	}
	s.encoded[string(b)] = true
	return nil
}

func twice(k reflect.Value, b []byte) error {
	text, err := cbor.Diagnose(b)
	if err != nil || len(text) > 100 {
		text = "one"
	}
	return &Unfit{why: fmt.Sprintf("two keys of a %s map would arrive as %s, and one of their values be lost", k.Type(), text)}
}

// inner is what an interface holds.
func inner(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
	}
	return v
}
