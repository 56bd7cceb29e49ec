// Package plain says which types can lie in shared memory as they are, and tells
// other processes what lies where: Describe gives a type's description, its
// padding and its mask; Diff says in what two descriptions differ. It touches no
// shared memory.
//
// Package codec describes what is not plain in the same form, by rules of its
// own: what travels by CBOR has no offsets, may refer to itself and may have
// marshalers. Diff reads both.
package plain

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

// ErrNotPlain is wrapped by what is said of a type that cannot lie in shared
// memory: it holds a pointer, or its size is not the same everywhere.
var ErrNotPlain = errors.New("type is not plain")

// A Type is what Describe knows of a plain type.
//
// Plain are bool, the integers but uintptr, the floats, complex numbers, and
// arrays and structs of plain types, under any name. uintptr is an address,
// which means nothing elsewhere. What takes no bytes is plain too, whatever it
// is of (struct{}, [0]func()): there is nothing to share, and nothing of it in
// the description.
type Type struct {
	Size  uintptr
	Align uintptr

	// Text tells other processes, in any language, what lies where; two types
	// with one text are the same type. A line for each field that holds data,
	//
	//	path kind @offset
	//
	// in order, then "size S align A". The path is the field's names joined by
	// dots, "." for a type that is no struct, with [] for each array of structs
	// on the way; such a line has the arrays' strides, outermost first:
	//
	//	ID uint64 @0
	//	Box.Min [3]float64 @8
	//	Jobs[].Done [4]bool @40 stride 16
	//	size 96 align 8
	//
	// int and uint are told by their size, int64 and uint64. Names of types are
	// not told, nor are blank fields.
	Text string

	// Padding are the bytes that hold no data: gaps, tails and blank fields.
	// Bools are those of which only the lowest bit does.
	Padding, Bools []Run

	mask uint64
}

// A Run is of Len bytes at Offset; or, where Each is not nil, of Len
// times Each, Stride bytes apart, from Offset on.
type Run struct {
	Offset, Len uintptr
	Each        []Run
	Stride      uintptr
}

// described caches by reflect.Type: a *Type, or the error.
var described sync.Map

// Describe tells whether t is plain, and all there is to know of it. The error
// wraps ErrNotPlain and names the field that is not.
func Describe(t reflect.Type) (*Type, error) {
	v, ok := described.Load(t)
	if !ok {
		if d, err := describe(t); err != nil {
			v, _ = described.LoadOrStore(t, err)
		} else {
			v, _ = described.LoadOrStore(t, d)
		}
	}
	if d, ok := v.(*Type); ok {
		return d, nil
	}
	return nil, v.(error)
}

func describe(t reflect.Type) (*Type, error) {
	if path, bad := notPlain(t, t.Name()); bad != nil {
		if bad == t {
			return nil, fmt.Errorf("%w: %s", ErrNotPlain, t)
		}
		return nil, fmt.Errorf("%w: field %s is %s %s", ErrNotPlain, path, article(bad), bad)
	}
	d := &Type{Size: t.Size(), Align: uintptr(t.Align())}
	var b strings.Builder
	tell(&b, t, "", "", "", 0)
	fmt.Fprintf(&b, "size %d align %d", d.Size, d.Align)
	d.Text = b.String()
	d.Padding, d.Bools = padding(t), bools(t)
	if d.Word() != 0 {
		d.mask = maskOf(t, 0)
	}
	return d, nil
}

// notPlain finds the first part of t that is not plain, and its path.
func notPlain(t reflect.Type, path string) (string, reflect.Type) {
	if t.Size() == 0 {
		return "", nil
	}
	switch t.Kind() {
	case reflect.Array:
		return notPlain(t.Elem(), path+"[]")
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if p, bad := notPlain(f.Type, join(path, f.Name)); bad != nil {
				return p, bad
			}
		}
		return "", nil
	}
	if scalar(t) == "" {
		return path, t
	}
	return "", nil
}

// scalar is the kind of a number or a bool as descriptions have it, else "".
func scalar(t reflect.Type) string {
	bits := strconv.Itoa(int(t.Size()) * 8)
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "int" + bits
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "uint" + bits
	case reflect.Float32, reflect.Float64:
		return "float" + bits
	case reflect.Complex64, reflect.Complex128:
		return "complex" + bits
	}
	return ""
}

// tell writes the lines of t, which lies at off under path; dims and strides
// are those of the arrays that it is an element of.
func tell(b *strings.Builder, t reflect.Type, path, dims, strides string, off uintptr) {
	if t.Size() == 0 {
		return
	}
	own := dims
	for t.Kind() == reflect.Array {
		e := t.Elem()
		own += "[" + strconv.Itoa(t.Len()) + "]"
		if base(e).Kind() == reflect.Struct {
			path += "[]"
			strides += "," + strconv.FormatUint(uint64(e.Size()), 10)
		}
		t = e
	}
	if t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			if f := t.Field(i); f.Name != "_" {
				tell(b, f.Type, join(path, f.Name), own, strides, off+f.Offset)
			}
		}
		return
	}
	if path == "" {
		path = "."
	}
	fmt.Fprintf(b, "%s %s%s @%d", path, own, scalar(t), off)
	if strides != "" {
		b.WriteString(" stride " + strides[1:])
	}
	b.WriteByte('\n')
}

// base is what arrays of arrays are in the end of.
func base(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Array {
		t = t.Elem()
	}
	return t
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func article(t reflect.Type) string {
	if strings.ContainsAny(t.String()[:1], "aeio") || t.Kind() == reflect.UnsafePointer {
		return "an"
	}
	return "a"
}

// padding lists what of t holds no data, in order, neighbours merged.
func padding(t reflect.Type) []Run {
	if t.Size() == 0 {
		return nil
	}
	switch t.Kind() {
	case reflect.Array:
		return times(padding(t.Elem()), t)
	case reflect.Struct:
		var ps []Run
		end := uintptr(0) // of the data so far
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Name == "_" || f.Type.Size() == 0 {
				continue
			}
			ps = appendRun(ps, Run{Offset: end, Len: f.Offset - end})
			for _, p := range padding(f.Type) {
				p.Offset += f.Offset
				ps = appendRun(ps, p)
			}
			end = f.Offset + f.Type.Size()
		}
		return appendRun(ps, Run{Offset: end, Len: t.Size() - end})
	}
	return nil
}

// bools lists the bools of t in the same way.
func bools(t reflect.Type) (bs []Run) {
	if t.Size() == 0 {
		return nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return []Run{{Len: 1}}
	case reflect.Array:
		if t.Elem().Kind() == reflect.Bool {
			return []Run{{Len: uintptr(t.Len())}}
		}
		return times(bools(t.Elem()), t)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Name == "_" {
				continue
			}
			for _, b := range bools(f.Type) {
				b.Offset += f.Offset
				bs = appendRun(bs, b)
			}
		}
	}
	return bs
}

// times is what each element of the array t has.
func times(each []Run, t reflect.Type) []Run {
	if len(each) == 0 || t.Len() == 1 {
		return each
	}
	return []Run{{Len: uintptr(t.Len()), Each: each, Stride: t.Elem().Size()}}
}

func appendRun(ps []Run, p Run) []Run {
	if p.Len == 0 {
		return ps
	}
	if n := len(ps); n > 0 && ps[n-1].Each == nil && p.Each == nil && ps[n-1].Offset+ps[n-1].Len == p.Offset {
		ps[n-1].Len += p.Len
		return ps
	}
	return append(ps, p)
}

// HasPadding reports whether some bytes of t hold no data. Then a copy of a
// value is not enough: what lies between the fields is whatever was there
// before, and would leak out, and make equal values differ by their bytes.
func (t *Type) HasPadding() bool { return len(t.Padding) > 0 }

// ZeroPadding clears what holds no data of the value of type t at p, which the
// caller owns.
func (t *Type) ZeroPadding(p unsafe.Pointer) {
	if len(t.Padding) > 0 {
		mask(p, t.Padding, 0)
	}
}

// Mended reports whether Mend may change a value of t.
func (t *Type) Mended() bool { return len(t.Padding)+len(t.Bools) > 0 }

// Mend makes the value of type t at p, which the caller owns and has copied out of shared
// memory, a valid one whatever was there: it clears the padding, and keeps the lowest bit
// of each bool.
func (t *Type) Mend(p unsafe.Pointer) {
	mask(p, t.Padding, 0)
	mask(p, t.Bools, 1)
}

// mask keeps the bits of m in all the bytes of rs. (No function for each: what is passed to
// one escapes.)
func mask(p unsafe.Pointer, rs []Run, m byte) {
	for i := range rs {
		r := &rs[i]
		at := unsafe.Add(p, r.Offset)
		for j := range r.Len {
			if r.Each != nil {
				mask(unsafe.Add(at, j*r.Stride), r.Each, m)
			} else {
				*(*byte)(unsafe.Add(at, j)) &= m
			}
		}
	}
}

// Word is t's size if that is a machine word's, 1, 2, 4 or 8, and otherwise 0.
func (t *Type) Word() int {
	switch t.Size {
	case 1, 2, 4, 8:
		return int(t.Size)
	}
	return 0
}

// Mask has the bits of t's word that hold data, of a bool the lowest. What is
// read from shared memory through the mask is a valid T whatever was there.
// Word must not be 0.
func (t *Type) Mask() uint64 { return t.mask }

// maskOf is the mask of the bytes of t, shifted to where they lie.
func maskOf(t reflect.Type, off uintptr) (m uint64) {
	switch {
	case t.Size() == 0:
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.Name != "_" {
				m |= maskOf(f.Type, off+f.Offset)
			}
		}
	case t.Kind() == reflect.Array:
		for i := range t.Len() {
			m |= maskOf(t.Elem(), off+uintptr(i)*t.Elem().Size())
		}
	case t.Kind() == reflect.Bool:
		m = 1 << (8 * off)
	default:
		m = ^uint64(0) >> (64 - 8*t.Size()) << (8 * off)
	}
	return m
}
