package codec

import (
	"encoding"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// What is not ours to look into: types with marshalers of their own, whose output
// is counted, and CBOR that its user made, which is tried where it decodes into an
// interface. Elsewhere its own unmarshaler has the word.

// measure counts what v's own marshaler returns.
func (w *weigher) measure(v reflect.Value) error {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	var b []byte
	var err error
	switch m := p.Interface().(type) {
	case cbor.Marshaler:
		b, err = m.MarshalCBOR()
	case encoding.BinaryMarshaler:
		b, err = m.MarshalBinary()
	case encoding.TextMarshaler:
		b, err = m.MarshalText()
	}
	if err != nil {
		return err
	}
	return w.add(1 + len(b))
}

// tag looks into one, and tries it.
func (w *weigher) tag(t cbor.Tag, p place) error {
	p, err := w.in(p)
	if err != nil {
		return err
	}
	w.foreign, p.any = true, true // a tag may be a level
	tried := p.seen
	p.seen = true
	if t.Content != nil {
		if err := w.inner(reflect.ValueOf(t.Content), p); err != nil {
			return err
		}
	}
	if !tried {
		if err := decodes(t); err != nil {
			return err
		}
	}
	return w.add(1)
}

// decodes tries v, which has an end and decodes into an interface: a tag says
// what its content must be, and raw CBOR may be anything.
func decodes(v any) error {
	b, err := encMode.Marshal(zoned(v))
	if err == nil {
		err = decMode.Unmarshal(b, new(any))
	}
	return err
}
