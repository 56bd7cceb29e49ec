package shm

import (
	"fmt"
	"iter"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"example.com/tandem/internal/object"
)

// An Object is what a region's directory says of one of its objects.
type Object struct {
	Name    string            `json:"name"`
	Kind    string            `json:"kind"`
	Type    string            `json:"type,omitempty"`   // of its values, a line a field, where it has any
	Fields  map[string]string `json:"fields,omitempty"` // its other configuration
	Bytes   int64             `json:"bytes"`            // of the region's memory
	Created time.Time         `json:"created"`
}

// Config is the object's configuration but for the type, in one line.
func (o Object) Config() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(o.Fields)) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%s", k, o.Fields[k])
	}
	return b.String()
}

// Objects yields the objects that the region has under a name. It takes no lock
// and no participant slot, and works on a ReadOnly region. An object made or
// removed meanwhile is yielded or not.
func (r *Region) Objects() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		if r.check() != nil {
			return
		}
		defer runtime.KeepAlive(r.a)
		for i := range r.a.g.objects {
			if r.check() != nil {
				return
			}
			e, ok := r.a.steady(i)
			if !ok || e.state != entLive {
				continue
			}
			o, ok := r.a.object(&e)
			if ok && r.check() == nil && !yield(o) {
				return
			}
		}
	}
}

// steadyTries is more often than an entry is remade while one reads it.
const steadyTries = 8

// steady copies an entry that is live or removed, and valid, as it was at one
// instant.
func (w *words) steady(i uint32) (entry, bool) {
	for range steadyTries {
		if s := w.state(i); s != entLive && s != entRemoved {
			return entry{}, false
		}
		e := w.read(i)
		if w.is(&e) {
			return e, (e.state == entLive || e.state == entRemoved) && w.valid(&e) == nil
		}
	}
	return entry{}, false
}

// object describes a valid entry. ok is false if it was gone before it could be
// read.
func (a *attachment) object(e *entry) (o Object, ok bool) {
	o = Object{Name: e.text(), Kind: e.kind.String(), Bytes: int64(e.size), Created: time.Unix(0, e.since)}
	var fields []object.Field
	ok = a.peek(e, func() { fields, _ = a.fieldsOf(e) })
	for _, f := range fields {
		if f.Name == "type" {
			o.Type = f.Value
			continue
		}
		if o.Fields == nil {
			o.Fields = map[string]string{}
		}
		o.Fields[f.Name] = f.Value
	}
	return o, ok
}

// peek calls f to look at the memory of an object that this process need not
// have open, without a bit that would keep it: a read-only attachment has none.
// ok is true if the memory was the object's until f was through. If it was
// given back meanwhile and the file system is full, a look at it is a fault,
// which ends f.
func (a *attachment) peek(e *entry, f func()) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if _, fault := r.(interface{ Addr() uintptr }); !fault {
				panic(r)
			}
			ok = false
		}
	}()
	f()
	return a.is(e)
}
