package codec

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"unsafe"

	"github.com/fxamacker/cbor/v2"
)

// Weighing: what encodes CBOR follows every pointer, as often as it meets it. A
// value that refers to itself has no end, which ends the process, for Go's stack
// has one; one whose parts are shared is written out as often as there are ways
// to them, which may be more than there is memory; and one that is nested too
// deep would not decode. So a value of which that may be so is looked at before:
//
//	W1  how many bytes it takes at least, and how deep it is. That is all, if it
//	    is neither too much nor very deep.
//	W2  once more, entering what each pointer, slice and map takes: what is met
//	    again is not looked at again, and what is met within itself has no end.
//
// W1 takes a step for each byte that may be written, at most; W2 one for each
// thing there is. Most types cannot hold such a value, and are not looked at:
// shape.go says which.
//
// A type's own marshaler is asked what it returns, and again when it is encoded:
// only so it is known before it has been copied, or written out many times.

const (
	deepest = math.MaxUint16 // levels that decode: the most that modes can be made with
	suspect = 1000           // levels from which on W2 is asked; and the most pointers and interfaces with no level between

	// A value without a limit is looked at by W1 as far as at first, and may take
	// again bytes for what it has written out before.
	first = 1 << 20
	again = 256 << 20

	tracked = 64 // bytes of a string from which on W2 knows it again
)

// An Unfit is why a value does not travel whose type does.
type Unfit struct {
	Large bool // it is too long, and nothing else is known to be wrong
	why   string
}

func (u *Unfit) Error() string { return u.why }

var (
	errEndless = &Unfit{why: "it refers to itself, so that it has no end"}
	errDeep    = &Unfit{why: fmt.Sprintf("it is nested more than %d levels deep, and would not decode", deepest)}
	errShared  = &Unfit{Large: true, why: fmt.Sprintf("what it refers to several times would be written out each time, in over %d MiB", again>>20)}
	errNowhere = &Unfit{why: "it is a pointer to its own type"}

	errOver = errors.New("over the limit") // for W2 to say why
)

// fits reports what is wrong with v, at p, which may take most bytes, or with 0
// what it has. foreign says that there was something in it that the look did not
// see into, and which may be deep.
func fits(n *node, v reflect.Value, p place, most int) (foreign bool, err error) {
	w := weigher{limit: most}
	if most == 0 {
		w.limit = first
	}
	if err = w.value(n, v, p); err != errOver {
		return w.foreign, err
	}
	w = weigher{limit: most, met: map[ref]*sum{}} // W2
	if most == 0 {
		w.limit = math.MaxInt
	}
	err = w.value(n, v, p)
	switch {
	case err == errOver, err == nil && most > 0 && w.total > most:
		err = &Unfit{Large: true, why: fmt.Sprintf("over %d bytes", most)}
	case err == nil && most == 0 && w.total-w.fresh > again:
		err = errShared
	}
	return w.foreign, err
}

type weigher struct {
	limit   int
	total   int // bytes so far, at least
	fresh   int // without those of what was met again
	deep    int // of the place that was deepest
	foreign bool
	met     map[ref]*sum // W2
}

// A place is where in a value something is.
type place struct {
	deep int
	hops int
	any  bool // within an interface: it decodes as what CBOR has
	seen bool // within what decodes has tried
}

// A ref is what is known again, and as what.
type ref struct {
	n   *node
	p   unsafe.Pointer
	len int
	any bool // as a place has it
}

// A sum is what a ref takes, and how many levels. levels is -1 as long as it is
// not known.
type sum struct{ bytes, levels int }

// add counts n bytes.
func (w *weigher) add(n int) error {
	const most = math.MaxInt / 4
	w.total = min(w.total+n, most)
	w.fresh = min(w.fresh+n, most)
	if w.fresh > w.limit {
		return errOver
	}
	return nil
}

// in is the place within something at p.
func (w *weigher) in(p place) (place, error) {
	p.deep, p.hops = p.deep+1, 0
	w.deep = max(w.deep, p.deep)
	switch {
	case w.met == nil && p.deep > suspect:
		return p, errOver
	case p.deep > deepest:
		return p, errDeep
	}
	return p, nil
}

// hop is the place behind a pointer or an interface at p.
func (w *weigher) hop(p place) (place, error) {
	switch p.hops++; {
	case p.hops <= suspect:
		return p, nil
	case w.met == nil:
		return p, errOver
	}
	return p, errDeep
}

// once does what f does for something of at p, or knows it again. f looks at it.
func (w *weigher) once(r ref, p place, f func() error) error {
	if w.met == nil || r.p == nil {
		return f()
	}
	if s := w.met[r]; s != nil {
		switch {
		case s.levels < 0:
			return errEndless
		case p.deep+s.levels > deepest:
			return errDeep
		}
		w.deep = max(w.deep, p.deep+s.levels)
		w.total = min(w.total+s.bytes, math.MaxInt/4)
		return nil
	}
	s := &sum{levels: -1}
	w.met[r] = s
	before, deep := w.total, w.deep
	w.deep = p.deep
	if err := f(); err != nil {
		return err
	}
	s.bytes, s.levels = w.total-before, w.deep-p.deep
	w.deep = max(w.deep, deep)
	return nil
}

func (w *weigher) str(n *node, s string) error {
	if w.met == nil || len(s) < tracked {
		return w.add(1 + len(s))
	}
	return w.once(ref{n, unsafe.Pointer(unsafe.StringData(s)), len(s), false}, place{}, func() error { return w.add(1 + len(s)) })
}

// value looks at v, which is of n's type.
func (w *weigher) value(n *node, v reflect.Value, p place) (err error) {
	switch n.kind {
	case small:
		return w.add(1)
	case text:
		return w.str(n, v.String())
	case run: // of something small
		if n.t.Elem().Kind() != reflect.Uint8 {
			if p, err = w.in(p); err != nil {
				return err
			}
		}
		if w.met == nil || n.t.Kind() == reflect.Array {
			return w.add(1 + v.Len())
		}
		return w.once(ref{n, v.UnsafePointer(), v.Len(), p.any}, p, func() error { return w.add(1 + v.Len()) })
	case pointer:
		if v.IsNil() {
			return w.add(1)
		}
		if p, err = w.hop(p); err != nil {
			return err
		}
		if w.met == nil { // as in once
			return w.value(n.elem, v.Elem(), p)
		}
		return w.once(ref{n, v.UnsafePointer(), 0, p.any}, p, func() error { return w.value(n.elem, v.Elem(), p) })
	case list:
		if p, err = w.in(p); err != nil {
			return err
		}
		if w.met == nil || n.t.Kind() == reflect.Array {
			return w.list(n, v, p)
		}
		return w.once(ref{n, v.UnsafePointer(), v.Len(), p.any}, p, func() error { return w.list(n, v, p) })
	case pairs:
		if p, err = w.in(p); err != nil {
			return err
		}
		if w.met == nil {
			return w.pairs(n, v, p)
		}
		return w.once(ref{n, v.UnsafePointer(), 0, p.any}, p, func() error { return w.pairs(n, v, p) })
	case fields:
		if p, err = w.in(p); err != nil {
			return err
		}
		return w.fields(n, v, p)
	case anything:
		if v.IsNil() {
			return w.add(1)
		}
		if p, err = w.hop(p); err != nil {
			return err
		}
		p.any = true
		if v.CanInterface() {
			return w.anything(v.Interface(), p)
		}
		return w.inner(v.Elem(), p)
	case tag:
		return w.tag(v.Interface().(cbor.Tag), p)
	case own:
		w.foreign = w.foreign || n.foreign
		if n.foreign && p.any && !p.seen {
			if err := decodes(v.Interface()); err != nil {
				return err
			}
		}
		if n.t == bigType {
			i := v.Interface().(big.Int)
			return w.add(1 + i.BitLen()/8)
		}
		return w.measure(v)
	case nowhere:
		return errNowhere
	}
	return w.add(1) // the encoder says what is wrong with it
}

// anything looks at what is in an interface at p.
func (w *weigher) anything(v any, p place) error {
	switch v := v.(type) {
	case nil, bool, int, int64, uint64, float64:
		return w.add(1)
	case string:
		return w.str(nil, v)
	}
	return w.inner(reflect.ValueOf(v), p)
}

func (w *weigher) inner(v reflect.Value, p place) error {
	n := nodeOf(v.Type())
	if n.lost != nil {
		return n.lost
	}
	return w.value(n, v, p)
}

func (w *weigher) list(n *node, v reflect.Value, p place) error {
	if err := w.add(1); err != nil {
		return err
	}
	for i := range v.Len() {
		if err := w.value(n.elem, v.Index(i), p); err != nil {
			return err
		}
	}
	return nil
}

// pairs looks at a map. Where it decodes into an interface its keys must be such
// that Go's maps take them.
func (w *weigher) pairs(n *node, v reflect.Value, p place) error {
	if err := w.add(1); err != nil {
		return err
	}
	if v.CanInterface() {
		switch m := v.Interface().(type) { // the frequent ones
		case map[string]string:
			for k, s := range m {
				if err := w.str(n.key, k); err != nil {
					return err
				}
				if err := w.str(n.elem, s); err != nil {
					return err
				}
			}
			return nil
		case map[string]any:
			p, err := w.hop(p)
			p.any = true
			for k, x := range m {
				if err == nil {
					err = w.str(n.key, k)
				}
				if err == nil {
					err = w.anything(x, p)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	if v.Len() == 0 {
		return nil
	}
	var keys keySet
	generic := p.any || n.key.kind == anything
	check := n.loose || generic && n.t.Key().Kind() == reflect.Pointer
	k, e := reflect.New(n.t.Key()).Elem(), reflect.New(n.t.Elem()).Elem()
	for i := v.MapRange(); i.Next(); {
		k.SetIterKey(i)
		e.SetIterValue(i)
		if generic {
			if bad := composite(k); bad != nil {
				return &Unfit{why: fmt.Sprintf("a map in an interface has a key of type %s, and would not decode", bad)}
			}
		}
		if err := w.value(n.key, k, p); err != nil {
			return err
		}
		if check {
			if err := keys.add(k, generic); err != nil {
				return err
			}
		}
		if err := w.value(n.elem, e, p); err != nil {
			return err
		}
	}
	return nil
}

func (w *weigher) fields(n *node, v reflect.Value, p place) error {
	if err := w.add(n.least); err != nil {
		return err
	}
	for i := range n.fields {
		f := &n.fields[i]
		x, ok := f.of(v)
		if !ok {
			continue
		}
		var err error
		switch {
		case f.n.kind == text: // these two are value's, and frequent
			err = w.str(f.n, x.String())
		case f.n.kind == pointer && x.IsNil():
			err = w.add(1)
		default:
			err = w.value(f.n, x, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
