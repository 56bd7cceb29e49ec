package codec

import (
	"math/big"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// A node is what weighing knows of a type: how CBOR encodes it.
type node struct {
	t      reflect.Type
	kind   kind
	elem   *node // of pointers, lists and maps
	key    *node // of maps
	loose  bool  // of maps: two keys may arrive as one
	fields []field
	least  int // bytes of a struct without its fields

	size    int  // bytes that it takes at most, where that is few; else vast
	copies  int  // how often one byte of a value can be written; many: without a bound
	foreign bool // there may be something in it that is not looked into, and deep

	lost error // why it is not to be in an interface; nodeOf's are asked only
}

type kind int

const (
	other    kind = iota // does not encode
	small                // few bytes, whatever is in it
	text                 // a string
	run                  // a list of what is small, or bytes
	pointer              //
	list                 // a slice or an array
	pairs                // a map
	fields               // a struct
	anything             // an interface
	tag                  // cbor.Tag
	own                  // has a marshaler of its own
	nowhere              // a pointer that points to its own type, which nothing can follow
)

const (
	few  = 1 << 10 // bytes
	vast = 1 << 20
	many = 64
)

// A field of a struct, or of what is embedded in it.
type field struct {
	path []int
	n    *node
	omit bool // left out if it is empty
	zero bool // left out if it is zero
}

var (
	nodes sync.Map // by type

	timeType = reflect.TypeFor[time.Time]()
	bigType  = reflect.TypeFor[big.Int]()
	tagType  = reflect.TypeFor[cbor.Tag]()
	anyType  = reflect.TypeFor[any]()
	zeroer   = reflect.TypeFor[interface{ IsZero() bool }]()
)

// nodeOf is t's node, whole.
func nodeOf(t reflect.Type) *node {
	if n, ok := nodes.Load(t); ok {
		return n.(*node)
	}
	b := builder{made: map[reflect.Type]*node{}}
	made := b.node(t)
	made.lost = lostInAny(t)
	n, _ := nodes.LoadOrStore(t, made)
	return n.(*node)
}

type builder struct{ made map[reflect.Type]*node }

// node makes t's. One that is met within itself is returned as it stands: vast,
// and of many copies.
func (b *builder) node(t reflect.Type) *node {
	if n := b.made[t]; n != nil {
		return n
	}
	n := &node{t: t, size: vast, copies: many}
	b.made[t] = n
	size, copies, foreign := b.fill(n)
	n.size, n.copies, n.foreign = min(size, vast), min(copies, many), foreign
	if n.size <= few && n.kind != other && n.kind != nowhere && n.kind != own {
		n.kind = small
	}
	return n
}

func (b *builder) fill(n *node) (size, copies int, foreign bool) {
	t := n.t
	switch p := reflect.PointerTo(t); {
	case t.Kind() == reflect.Pointer: // its own methods are looked for when it is followed
		if endless(t) {
			n.kind = nowhere
			return vast, many, false // so that it is looked at
		}
		n.kind, n.elem = pointer, b.node(t.Elem())
		return n.elem.size, n.elem.copies, n.elem.foreign
	case t == timeType:
		n.kind = small
		return 50, 0, false
	case t == tagType:
		n.kind = tag
		return vast, many, true
	case t == bigType:
		n.kind = own
		return vast, 1, false
	case p.Implements(cborMarshaler):
		n.kind = own
		return vast, many, true // it may return any number of bytes
	case p.Implements(binaryMarshaler), p.Implements(textMarshaler):
		n.kind = own
		return vast, many, false
	}
	switch t.Kind() {
	case reflect.Interface:
		n.kind = anything
		return vast, many, true
	case reflect.String:
		n.kind = text
		return vast, 1, false
	case reflect.Slice, reflect.Array:
		n.elem = b.node(t.Elem())
		n.kind = list
		copies = many
		if n.elem.kind == small || t.Elem().Kind() == reflect.Uint8 {
			n.kind, copies = run, 1
		}
		if size = vast; t.Kind() == reflect.Array {
			size = 9 + min(t.Len(), vast)*n.elem.size
		}
		return size, copies, n.elem.foreign
	case reflect.Map:
		n.key, n.elem, n.kind = b.node(t.Key()), b.node(t.Elem()), pairs
		copies, n.loose = many, loose(t.Key())
		switch t.Key().Kind() {
		case reflect.Struct, reflect.Array, reflect.Pointer: // keys that may not do in an interface
		default:
			if !n.loose && n.key.kind == small && n.elem.kind == small {
				copies = 1
			}
		}
		return vast, copies, n.key.foreign || n.elem.foreign
	case reflect.Struct:
		n.kind, n.least = fields, 1
		return b.fields(n, t, nil, map[reflect.Type]bool{})
	case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		n.kind = other
		return vast, 1, false
	}
	n.kind = small
	return 9, 0, false
}

// fields adds those of t, which is n's type or is embedded in it at path.
func (b *builder) fields(n *node, t reflect.Type, path []int, within map[reflect.Type]bool) (size, copies int, foreign bool) {
	size = 9
	if within[t] {
		return size, 0, false
	}
	within[t] = true
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" || omitted(f) {
			continue
		}
		at := append(append([]int(nil), path...), i)
		name, omit, zero := tagOf(f)
		if e := f.Type; f.Anonymous && name == "" {
			if e.Kind() == reflect.Pointer {
				e = e.Elem()
			}
			if e.Kind() == reflect.Struct && e != timeType && e != bigType && e != tagType {
				s, c, f := b.fields(n, e, at, within)
				size, copies, foreign = size+s, copies+c, foreign || f
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		fn := b.node(f.Type)
		size, copies, foreign = size+9+len(f.Tag)+len(f.Name)+fn.size, copies+fn.copies, foreign || fn.foreign
		if len(path) == 0 && !omit && !zero {
			n.least++ // its name
		}
		if fn.kind != small {
			n.fields = append(n.fields, field{at, fn, omit, zero})
		}
	}
	return min(size, vast), min(copies, many), foreign
}

func tagOf(f reflect.StructField) (name string, omit, zero bool) {
	name, _, _ = strings.Cut(tagText(f), ",")
	return name, hasOption(f, "omitempty"), hasOption(f, "omitzero")
}

func hasOption(f reflect.StructField, option string) bool {
	_, options, _ := strings.Cut(tagText(f), ",")
	for o := range strings.SplitSeq(options, ",") {
		if o == option {
			return true
		}
	}
	return false
}

// of is the field of a struct; ok is false if it is left out.
func (f *field) of(v reflect.Value) (_ reflect.Value, ok bool) {
	if len(f.path) == 1 && !f.omit && !f.zero {
		return v.Field(f.path[0]), true
	}
	for i, x := range f.path {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	if f.omit || f.zero {
		switch v.Kind() {
		case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
			if f.omit && v.Len() == 0 {
				return v, false
			}
		}
		if v.IsZero() || f.zero && saysZero(v) {
			return v, false
		}
	}
	return v, true
}

// saysZero is what v's own IsZero says.
func saysZero(v reflect.Value) bool {
	switch {
	case v.Type().Implements(zeroer):
	case reflect.PointerTo(v.Type()).Implements(zeroer):
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		v = p
	default:
		return false
	}
	return v.Interface().(interface{ IsZero() bool }).IsZero()
}

// composite is the type of a key that becomes an array or a map.
func composite(v reflect.Value) reflect.Type {
	for k := v.Kind(); k == reflect.Pointer || k == reflect.Interface; k = v.Kind() {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	n := nodeOf(v.Type())
	if n.kind == own || n.kind == tag || n.t == timeType {
		return nil
	}
	switch k := n.t.Kind(); {
	case k == reflect.Struct, k == reflect.Array && n.t.Elem().Kind() != reflect.Uint8:
		return n.t
	}
	return nil
}

// endless reports a pointer type that leads to itself by pointers alone.
func endless(t reflect.Type) bool {
	met := map[reflect.Type]bool{}
	for ; t.Kind() == reflect.Pointer; t = t.Elem() {
		if met[t] {
			return true
		}
		met[t] = true
	}
	return false
}
