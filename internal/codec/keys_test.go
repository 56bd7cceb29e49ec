package codec

import (
	"math"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

type (
	half    struct{ A, B any }
	ownHalf struct {
		A caseless
		B any
	}
	partial struct {
		A int
		B int `cbor:"-"`
	}
	caseless  string
	plainText string
)

func (c caseless) MarshalText() ([]byte, error)     { return []byte(strings.ToLower(string(c))), nil }
func (c *caseless) UnmarshalText(text []byte) error { *c = caseless(text); return nil }

// Keys that differ and would arrive as one are refused: a value would be lost.
func TestKeysThatBecomeOne(t *testing.T) {
	now := time.Now()
	a, b, one := "a", "a", 1
	for name, m := range map[string]any{
		"ints":           map[any]any{int(1): "a", uint8(1): "b"},
		"floats":         map[any]int{float32(1.5): 1, 1.5: 2},
		"strings":        map[any]int{"a": 1, plainText("a"): 2},
		"pointers":       map[any]int{&a: 1, &b: 2},
		"pointer":        map[any]int{1: 1, &one: 2},
		"nil":            map[any]int{nil: 1, (*int)(nil): 2},
		"zero time":      map[any]int{nil: 1, time.Time{}: 2},
		"big":            map[any]int{1: 1, big.NewInt(1): 2},
		"bytes":          map[any]int{[1]byte{1}: 1, cbor.ByteString("\x01"): 2},
		"times":          map[time.Time]int{now: 1, now.Round(0): 2},
		"times in any":   map[any]int{now: 1, now.Round(0): 2},
		"zones":          map[time.Time]int{now.In(time.FixedZone("", 5400)): 1, now.In(time.FixedZone("", 5400)): 2},
		"odd zones":      map[time.Time]int{now.In(time.FixedZone("", 1)): 1, now.In(time.FixedZone("", 2)): 2},
		"tags":           map[any]int{cbor.Tag{Number: 0, Content: "2031-02-03T04:05:06Z"}: 1, cbor.Tag{Number: 0, Content: "2031-02-03T04:05:06.0Z"}: 2},
		"in structs":     map[half]int{{1, 2}: 1, {int8(1), 2}: 2},
		"left out":       map[partial]int{{1, 2}: 1, {1, 3}: 2},
		"own text":       map[caseless]int{"a": 1, "A": 2},
		"deep":           []any{map[string]any{"m": []map[any]bool{{uint(7): true, int64(7): false}}}},
		"pointers in":    any(map[*string]int{&a: 1, &b: 2}),
		"not in keys":    map[ownHalf]int{{"a", &struct{ A int }{1}}: 1},
		"not to be keys": map[any]int{new(big.Int).Lsh(big.NewInt(1), 70): 1},
	} {
		_, err := encoded(m, 1000)
		if large, ok := unfit(err); !ok || large {
			t.Errorf("%s: %v", name, err)
		}
		typed := reflect.ValueOf(m)
		if _, err := EncoderOf(typed.Type(), 1000).Append(nil, m); name != "pointers in" && err == nil {
			t.Errorf("%s, not in an any: accepted", name)
		}
	}
	for name, m := range map[string]any{
		"numbers":      map[any]any{1: "a", 1.0: "b", "1": "c", true: "d", -1: "e", nil: "f", math.Copysign(0, -1): "g", uint64(math.MaxUint64): "h"},
		"texts":        map[any]int{"a": 1, [1]byte{'a'}: 2},
		"NaN":          map[any]int{math.NaN(): 1, math.Float32frombits(0x7fc00001): 2},
		"typed NaN":    map[float64]int{math.NaN(): 1, -math.NaN(): 2, 0: 3},
		"structs":      map[half]int{{1, 2}: 1, {1.0, 2}: 2},
		"times, zones": map[time.Time]int{now.UTC(): 1, now.In(time.FixedZone("", 3600)): 2},
		"own text":     map[caseless]int{"a": 1, "b": 2},
		"pointers":     map[*string]int{&a: 1, &b: 2},
	} {
		b, err := EncoderOf(reflect.TypeOf(m), 1000).Append(nil, m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := reflect.New(reflect.TypeOf(m))
		if err := Decode(b, got.Interface()); err != nil || got.Elem().Len() != reflect.ValueOf(m).Len() {
			t.Errorf("%s is got as %v: %v", name, got.Elem(), err)
		}
	}
	if _, err := encoded(map[any]int{url.URL{Host: "a"}: 1}, 1000); err != nil {
		t.Error(err) // bytes may be a key
	}
	// What others have written is not believed either.
	if err := Decode([]byte{0xa2, 1, 2, 1, 3}, new(map[int]int)); err == nil {
		t.Error("a message with one key twice decodes")
	}
}

// An instant stays to the nanosecond, whatever its zone.
func TestTimes(t *testing.T) {
	type when struct {
		At   time.Time
		In   []*time.Time
		Any  map[string]any
		Keys map[time.Time][1]time.Time
	}
	base := time.Date(1890, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
	for _, offset := range []int{0, 3600, 3208, -3208, 59, -1, 14*3600 + 1, -86399} {
		at := base.In(time.FixedZone("LMT", offset))
		v := when{at, []*time.Time{&at, nil}, map[string]any{"a": at, "b": []any{&at, 1}}, map[time.Time][1]time.Time{at: {at}}}
		b, err := encoded(v, 1000)
		if err != nil {
			t.Errorf("offset %d: %v", offset, err)
			continue
		}
		var got when
		if err := Decode(b, &got); err != nil {
			t.Fatal(err)
		}
		all := []time.Time{got.At, *got.In[0], got.Any["a"].(time.Time), got.Any["b"].([]any)[0].(time.Time)}
		for k, v := range got.Keys {
			all = append(all, k, v[0])
		}
		for i, x := range all {
			if _, o := x.Zone(); !x.Equal(at) || o != offset-offset%60 || len(all) != 6 {
				t.Errorf("offset %d: %v arrives as %v (%d)", offset, at, x, i)
			}
		}
		if _, o := v.At.Zone(); o != offset || *v.In[0] != at || v.Any["a"] != at {
			t.Errorf("offset %d: what was put has changed", offset)
		}
	}
	var zero when
	if b, err := encoded(zero, 1000); err != nil {
		t.Error(err)
	} else if err := Decode(b, &zero); err != nil || zero.At != (time.Time{}) {
		t.Errorf("no time arrives as %v: %v", zero.At, err)
	}
	for _, bad := range []time.Time{
		time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).In(time.FixedZone("", 60)),
		base.In(time.FixedZone("", 86400)),
	} {
		if b, err := encoded(bad, 1000); err == nil {
			var got time.Time
			t.Errorf("%v is accepted, and arrives as %v, %v", bad, got, Decode(b, &got))
		}
	}
}

// So it does alone, wherever in an interface it is.
func TestTimesInAny(t *testing.T) {
	type row struct {
		N  int
		At any
	}
	at := time.Date(1890, 1, 2, 3, 4, 5, 0, time.FixedZone("LMT", 3208))
	var x any = at
	for _, v := range []any{
		at, &at, &x, []any{1, at}, []any{[]any{at}}, []time.Time{at}, [1]any{at}, []*time.Time{nil, &at},
		map[string]any{"n": 1, "at": at}, map[string]any{"in": map[string]any{"at": &at}}, map[string]any{"in": []any{1, at}},
		map[string]time.Time{"at": at}, map[any]any{"at": at}, map[any]any{at: 1}, map[time.Time]bool{at: true},
		row{1, at}, &row{1, []any{at}}, []row{{1, nil}, {2, at}}, map[int]row{7: {At: map[string]any{"at": at}}},
	} {
		b, err := EncoderOf(anyType, 1000).Append(nil, v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
			continue
		}
		var got any
		if err := Decode(b, &got); err != nil {
			t.Errorf("%T: %v", v, err)
		} else if x := timeIn(got); !x.Equal(at) {
			t.Errorf("%T: %v arrives as %v", v, at, x)
		}
	}
}

// timeIn is the time in v, which was decoded.
func timeIn(v any) (at time.Time) {
	switch v := v.(type) {
	case time.Time:
		return v
	case []any:
		for _, x := range v {
			if t := timeIn(x); !t.IsZero() {
				at = t
			}
		}
	case map[any]any:
		for k, x := range v {
			if t := timeIn([]any{k, x}); !t.IsZero() {
				at = t
			}
		}
	}
	return at
}
