package proc

import (
	"encoding"
	"fmt"
	"io/fs"
	"math"
	"reflect"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// The two ends of an argument's way are the same program, so what matters is
// that nothing is lost on it: times keep their nanoseconds, strings may be
// any bytes, and there is no limit on lengths but memory.
var encMode, decMode = modes()

func modes() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.EncOptions{
		Time:          cbor.TimeRFC3339Nano,
		TimeTag:       cbor.EncTagRequired,
		TextMarshaler: cbor.TextMarshalerTextString,
	}.EncMode()
	if err != nil {
		panic(err)
	}
	dec, err := cbor.DecOptions{
		UTF8:              cbor.UTF8DecodeInvalid,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		TextUnmarshaler:   cbor.TextUnmarshalerTextString,
		MaxNestedLevels:   math.MaxUint16,
		MaxArrayElements:  math.MaxInt32,
		MaxMapPairs:       math.MaxInt32,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}

// encode returns *arg as CBOR. A type that would lose something silently is
// refused, naming the field.
func encode(t reflect.Type, arg any) ([]byte, error) {
	if err := travels(t); err != nil {
		return nil, fmt.Errorf("argument does not encode: %w: %w", err, fs.ErrInvalid)
	}
	b, err := encMode.Marshal(arg)
	if err != nil {
		return nil, fmt.Errorf("argument of type %s does not encode: %w", t, err)
	}
	return b, nil
}

func decode(b []byte, arg any) error { return decMode.Unmarshal(b, arg) }

// travels reports whether values of t arrive in the child as they left. What
// sits behind an interface is known only when it is encoded.
func travels(t reflect.Type) error {
	return travel(t, t.String(), map[reflect.Type]bool{})
}

func travel(t reflect.Type, path string, seen map[reflect.Type]bool) error {
	if seen[t] || marshals(t) {
		return nil
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("%s is a %s", path, t.Kind())
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("%s is of interface type %s: the child could not tell what is in it", path, t)
		}
	case reflect.Pointer:
		return travel(t.Elem(), path, seen)
	case reflect.Slice, reflect.Array:
		return travel(t.Elem(), path+"[]", seen)
	case reflect.Map:
		if err := travel(t.Key(), path+"[key]", seen); err != nil {
			return err
		}
		return travel(t.Elem(), path+"[]", seen)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			at := path + "." + f.Name
			embedded := f.Anonymous && f.Type.Kind() == reflect.Struct // its exported fields travel, whatever its name
			switch {
			case f.Name == "_" || omitted(f):
			case !f.IsExported() && !embedded:
				return fmt.Errorf("%s is unexported and would be lost", at)
			default:
				if err := travel(f.Type, at, seen); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// omitted reports that the field's tag says so; CBOR reads cbor tags, and
// json tags where there is none.
func omitted(f reflect.StructField) bool {
	tag, ok := f.Tag.Lookup("cbor")
	if !ok {
		tag = f.Tag.Get("json")
	}
	return strings.TrimSpace(tag) == "-"
}

var (
	cborMarshaler     = reflect.TypeFor[cbor.Marshaler]()
	cborUnmarshaler   = reflect.TypeFor[cbor.Unmarshaler]()
	binaryMarshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
	textMarshaler     = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler   = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// marshals reports that t has its own way of travelling, both ways.
func marshals(t reflect.Type) bool {
	if t.PkgPath() == "math/big" && t.Name() == "Int" {
		return true // CBOR has big numbers
	}
	if t.Kind() == reflect.Interface {
		return false
	}
	p := t
	if t.Kind() != reflect.Pointer {
		p = reflect.PointerTo(t)
	}
	return p.Implements(cborMarshaler) && p.Implements(cborUnmarshaler) ||
		p.Implements(binaryMarshaler) && p.Implements(binaryUnmarshaler) ||
		p.Implements(textMarshaler) && p.Implements(textUnmarshaler)
}
