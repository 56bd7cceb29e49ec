package codec

import (
	"reflect"
	"slices"
	"sync"
	"time"
)

// Zones: what is written of a time is its clock and its zone's offset, and of
// that hours and minutes. An offset with seconds (cities had such until about
// 1900) would be cut, and the instant be another. So a value with such a time
// is copied, as far as there are times in it, and theirs moved into zones
// whose offsets are whole minutes: the instant stays.

// zoned is v, or a copy of it whose times have no seconds in their zones. v has
// an end.
func zoned(v any) any {
	if !oddAny(v) {
		return v
	}
	r := reflect.ValueOf(v)
	c := reflect.New(r.Type()).Elem()
	c.Set(r)
	whole(c)
	return c.Interface()
}

// oddAny is odd for what is in an interface; what is frequent there comes first.
func oddAny(v any) bool {
	switch v := v.(type) {
	case nil, bool, int, int64, uint64, float64, string, []byte, []string, map[string]string:
		return false
	case time.Time:
		return oddTime(v)
	case []any:
		return slices.ContainsFunc(v, oddAny)
	case map[string]any:
		for _, x := range v {
			if oddAny(x) {
				return true
			}
		}
		return false
	}
	return odd(reflect.ValueOf(v))
}

func oddTime(t time.Time) bool {
	_, s := t.Zone()
	return s%60 != 0
}

// odd reports that v has a time with seconds in its zone's offset.
func odd(v reflect.Value) bool {
	if !hasTime(v.Type()) {
		return false
	}
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && odd(v.Elem())
	case reflect.Interface:
		return oddAny(v.Interface())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if odd(v.Index(i)) {
				return true
			}
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			if odd(i.Key()) || odd(i.Value()) {
				return true
			}
		}
	case reflect.Struct:
		if v.Type() == timeType {
			return oddTime(v.Interface().(time.Time))
		}
		for i := range v.NumField() {
			if travelling(v.Type().Field(i)) && odd(v.Field(i)) {
				return true
			}
		}
	}
	return false
}

// whole moves v's times; what v refers to is copied before.
func whole(v reflect.Value) {
	if !hasTime(v.Type()) {
		return
	}
	copied := func(e reflect.Value) reflect.Value {
		c := reflect.New(e.Type()).Elem()
		c.Set(e)
		whole(c)
		return c
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			v.Set(copied(v.Elem()).Addr())
		}
	case reflect.Interface:
		if !v.IsNil() {
			v.Set(copied(v.Elem()))
		}
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		v.Set(c)
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			whole(v.Index(i))
		}
	case reflect.Map:
		if v.IsNil() {
			return
		}
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for i := v.MapRange(); i.Next(); {
			c.SetMapIndex(copied(i.Key()), copied(i.Value()))
		}
		v.Set(c)
	case reflect.Struct:
		if v.Type() == timeType {
			if t := v.Interface().(time.Time); oddTime(t) {
				_, s := t.Zone()
				v.Set(reflect.ValueOf(t.In(time.FixedZone("", s-s%60))))
			}
			return
		}
		for i := range v.NumField() {
			if travelling(v.Type().Field(i)) {
				whole(v.Field(i))
			}
		}
	}
}

// travelling reports that something of the field is encoded.
func travelling(f reflect.StructField) bool {
	return !omitted(f) && (f.IsExported() || f.Anonymous && f.Type.Kind() == reflect.Struct)
}

var timed sync.Map // by type

// hasTime reports that there may be a time in a t that CBOR encodes itself.
func hasTime(t reflect.Type) bool {
	if has, ok := timed.Load(t); ok {
		return has.(bool)
	}
	has := findTime(t, map[reflect.Type]bool{})
	timed.Store(t, has)
	return has
}

func findTime(t reflect.Type, within map[reflect.Type]bool) bool {
	if t == timeType || t == tagType || t.Kind() == reflect.Interface {
		return true
	}
	if within[t] {
		return false
	}
	within[t] = true
	if p := reflect.PointerTo(t); t.Kind() != reflect.Pointer && (p.Implements(cborMarshaler) || p.Implements(binaryMarshaler) || p.Implements(textMarshaler)) {
		return false
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return findTime(t.Elem(), within)
	case reflect.Map:
		return findTime(t.Key(), within) || findTime(t.Elem(), within)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); travelling(f) && findTime(f.Type, within) {
				return true
			}
		}
	}
	return false
}
