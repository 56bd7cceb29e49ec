// Package codec is how a Go value that is not plain becomes bytes: CBOR
// (RFC 8949), with nothing lost on the way. Times keep their nanoseconds (zone.go),
// strings may be any bytes, and no length is limited but by memory and by what
// the caller says. A type of which something would be lost silently is refused,
// and a value that has no end or would not decode (weigh.go).
package codec

import (
	"bytes"
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

var encMode, decMode = modes()

func modes() (cbor.UserBufferEncMode, cbor.DecMode) {
	enc, err := cbor.EncOptions{
		Time:          cbor.TimeRFC3339Nano,
		TimeTag:       cbor.EncTagRequired,
		TextMarshaler: cbor.TextMarshalerTextString,
	}.UserBufferEncMode()
	if err != nil {
		panic(err)
	}
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF, // else the last of them would stand for all, silently
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

// An Encoder encodes values of one type.
type Encoder struct {
	n     *node
	most  int
	timed bool // there may be times in it
}

// EncoderOf is for values of type t of up to most bytes. With 0 they may have as
// many as they like, and in addition some for what they refer to several times.
func EncoderOf(t reflect.Type, most int) Encoder { return Encoder{nodeOf(t), most, hasTime(t)} }

// Append appends v's encoding to dst. What it accepts decodes, as far as v's own
// marshalers and unmarshalers agree. A value that has no end, or is too deep or
// too long, is an Unfit; none of it has been encoded then. One that is too long,
// but has nothing in it that could be so several times, may be encoded all the
// same: it is for the caller to look.
func (e Encoder) Append(dst []byte, v any) ([]byte, error) {
	foreign, err := e.fits(v)
	if err != nil {
		return dst, err
	}
	if e.timed {
		v = zoned(v)
	}
	b := bytes.NewBuffer(dst)
	if err := encMode.MarshalToBuffer(v, b); err != nil {
		return dst, err
	}
	if foreign {
		if err := decMode.Wellformed(b.Bytes()[len(dst):]); err != nil {
			return dst, &Unfit{why: err.Error()}
		}
	}
	return b.Bytes(), nil
}

func (e Encoder) fits(v any) (foreign bool, err error) {
	r := reflect.ValueOf(v)
	if !r.IsValid() {
		return false, nil
	}
	n, p := e.n, place{}
	if n.kind == anything {
		if n, p.any = nodeOf(r.Type()), true; n.lost != nil {
			return false, n.lost
		}
	}
	if n.copies < many && !(p.any && n.foreign) {
		return n.foreign, nil
	}
	return fits(n, r, p, e.most)
}

// Decode sets *v from the one item that src is. What others wrote to src may
// be anything.
func Decode(src []byte, v any) error { return decMode.Unmarshal(src, v) }

// A Refusal is why values of a type do not travel.
type Refusal struct {
	Type  reflect.Type // what was to travel
	Path  string       // of what cannot, within it: "Depth", "Tags[]"; or empty: it cannot itself
	Found reflect.Type // what stands there; nil for an unexported field
	Why   string       // if Found's kind does not say it
}

func (r *Refusal) Error() string {
	at := "it"
	if r.Path != "" {
		at = "field " + r.Path
	}
	switch {
	case r.Why != "":
		return fmt.Sprintf("%s: %s is a %s, %s", r.Type, at, r.Found, r.Why)
	case r.Found == nil:
		return fmt.Sprintf("%s: %s is unexported and would be lost", r.Type, at)
	case r.Found.Kind() == reflect.Interface:
		return fmt.Sprintf("%s: %s is of interface type %s: whoever decodes it could not tell what is in it", r.Type, at, r.Found)
	}
	return fmt.Sprintf("%s: %s is a %s, which cannot be encoded", r.Type, at, r.Found.Kind())
}

// Describe tells what of a t travels, a line for each field, as descriptions
// of plain types do: "Job.Depth int", "Tags[] text"; or as a Refusal which field
// cannot. What sits behind an interface is known only when it is encoded.
func Describe(t reflect.Type) (string, error) {
	d := describer{whole: t, within: map[reflect.Type]bool{}}
	if err := d.describe(t, ""); err != nil {
		return "", err
	}
	return strings.TrimSuffix(d.text.String(), "\n"), nil
}

type describer struct {
	whole  reflect.Type
	text   strings.Builder
	within map[reflect.Type]bool // those that are being described

	generic bool // it decodes into an interface: only what would be lost silently is refused
}

func (d *describer) describe(t reflect.Type, path string) error {
	if why := borrowed(t); why != "" {
		return &Refusal{d.whole, path, t, why}
	}
	if marshals(t) || d.generic && (t == tagType || t.Kind() != reflect.Pointer && encodesItself(t)) {
		return d.line(path, t.String())
	}
	if d.within[t] {
		return d.line(path, "recursive")
	}
	if d.generic {
		switch t.Kind() {
		case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128, reflect.Interface:
			return nil // told when it is encoded; or looked into
		case reflect.Pointer:
			if endless(t) { // told when it is weighed
				return nil
			}
		}
	}
	if endless(t) {
		return &Refusal{d.whole, path, t, "a pointer to its own type, which nothing can follow"}
	}
	if why := oneWay(t); why != "" {
		return &Refusal{d.whole, path, t, why}
	}
	d.within[t] = true
	defer delete(d.within, t)
	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128:
		return &Refusal{d.whole, path, t, ""}
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return &Refusal{d.whole, path, t, ""}
		}
		return d.line(path, "any")
	case reflect.Pointer:
		return d.describe(t.Elem(), path)
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return d.line(path, "bytes")
		}
		return d.describe(t.Elem(), path+"[]")
	case reflect.Map:
		if err := d.describe(t.Key(), path+"[key]"); err != nil {
			return err
		}
		return d.describe(t.Elem(), path+"[]")
	case reflect.Struct:
		return d.fields(t, path)
	case reflect.String:
		return d.line(path, "text")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return d.line(path, "int")
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return d.line(path, "uint")
	case reflect.Float32, reflect.Float64:
		return d.line(path, "float")
	}
	return d.line(path, t.Kind().String())
}

func (d *describer) fields(t reflect.Type, path string) error {
	if f, why := hidden(t); why != "" {
		at := f.Name
		if path != "" {
			at = path + "." + f.Name
		}
		return &Refusal{d.whole, at, f.Type, why}
	}
	any := false
	for i := range t.NumField() {
		f := t.Field(i)
		at := f.Name
		if path != "" {
			at = path + "." + f.Name
		}
		embedded := f.Anonymous && f.Type.Kind() == reflect.Struct // its exported fields travel, whatever its name
		switch {
		case f.Name == "_" || omitted(f):
			continue
		case !f.IsExported() && !embedded:
			return &Refusal{d.whole, at, nil, ""}
		}
		any = true
		if err := d.describe(f.Type, at); err != nil {
			return err
		}
	}
	if !any {
		return d.line(path, "struct")
	}
	return nil
}

func (d *describer) line(path, what string) error {
	if path == "" {
		path = "."
	}
	d.text.WriteString(path + " " + what + "\n")
	return nil
}

// omitted reports that the field's tag says so.
func omitted(f reflect.StructField) bool { return tagText(f) == "-" }

// tagText is what CBOR reads: the cbor tag, and the json tag where that is none,
// or empty.
func tagText(f reflect.StructField) string {
	if s := f.Tag.Get("cbor"); s != "" {
		return s
	}
	return f.Tag.Get("json")
}

var (
	cborMarshaler     = reflect.TypeFor[cbor.Marshaler]()
	cborUnmarshaler   = reflect.TypeFor[cbor.Unmarshaler]()
	binaryMarshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
	textMarshaler     = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler   = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// oneWay says of a type that its values would encode by a method and not decode.
func oneWay(t reflect.Type) string {
	if k := t.Kind(); k == reflect.Pointer || k == reflect.Interface {
		return ""
	}
	switch p := reflect.PointerTo(t); {
	case p.Implements(cborMarshaler): // which may write what t's kind reads
	case p.Implements(binaryMarshaler) && !p.Implements(binaryUnmarshaler):
		return "which has MarshalBinary and no UnmarshalBinary"
	case p.Implements(binaryMarshaler):
	case p.Implements(textMarshaler) && !p.Implements(textUnmarshaler):
		return "which has MarshalText and no UnmarshalText"
	}
	return ""
}

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
