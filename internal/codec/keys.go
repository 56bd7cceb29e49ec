package codec

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// Keys: two that differ in Go may be one when they arrive, as int 1 and uint8 1
// in a map[any]int do, or two with one text of their own. One of their values
// would be lost, so such a map is refused.

// loose reports that keys of type t may arrive as one.
func loose(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer { // each arrives as a pointer of its own, but for those to what is nil
		switch e := t.Elem(); e.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.Struct:
			return true
		}
		return encodesItself(t.Elem())
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

// A keySet is which keys of a map have been seen, as they arrive.
type keySet struct {
	decoded map[any]bool
	times   map[string]bool // encodings of those with a time: a zone makes them differ here, and may not elsewhere
	null    bool
}

// add is for k, which has an end. generic is whether it decodes into an interface.
// It is decoded here, by a user's code, too, if it has such.
func (s *keySet) add(k reflect.Value, generic bool) error {
	b, err := encMode.Marshal(zoned(k.Interface()))
	if err != nil {
		return err
	}
	t := k.Type()
	if generic {
		t = anyType
	}
	if t.Kind() == reflect.Pointer { // as in loose
		if null := bytes.Equal(b, []byte{0xf6}); null && s.null {
			return twice(k, b)
		} else if null {
			s.null = true
		}
		return nil
	}
	if s.decoded == nil {
		s.decoded, s.times = map[any]bool{}, map[string]bool{}
	}
	m := reflect.New(reflect.MapOf(t, anyType))
	if err := decMode.Unmarshal(append([]byte{0xa1}, append(b, 0xf6)...), m.Interface()); err != nil {
		return &Unfit{why: fmt.Sprintf("a map has a key of type %s that would not decode: %v", inner(k).Type(), err)}
	}
	for _, d := range m.Elem().MapKeys() {
		d := d.Interface()
		if d != d { // NaN, which no other equals
			return nil
		}
		if s.decoded[d] {
			return twice(k, b)
		}
		s.decoded[d] = true
	}
	if hasTime(t) {
		if s.times[string(b)] {
			return twice(k, b)
		}
		s.times[string(b)] = true
	}
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
