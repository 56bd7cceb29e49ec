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
	"example.com/tandem/internal/region"
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
		for i := range r.a.Geo.Objects {
			if r.check() != nil {
				return
			}
			e, ok := r.a.Steady(i)
			if !ok || e.State != region.EntLive {
				continue
			}
			o, ok := r.a.object(&e)
			if ok && r.check() == nil && !yield(o) {
				return
			}
		}
	}
}

// object describes a valid entry. ok is false if it was gone before it could be
// read.
func (a *attachment) object(e *region.Entry) (o Object, ok bool) {
	o = Object{Name: e.Text(), Kind: e.Kind.String(), Bytes: int64(e.Size), Created: time.Unix(0, e.Since)}
	var fields []object.Field
	ok = a.peek(e, func() { fields, _ = a.Fields(e) })
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
func (a *attachment) peek(e *region.Entry, f func()) (ok bool) {
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
	return a.Still(e)
}
