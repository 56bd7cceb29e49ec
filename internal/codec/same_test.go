package codec

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"example.com/tandem/internal/effort"
)

// What is accepted arrives as it was put, but for what the documentation says
// (alike). Types and values are made up; the seed is logged and comes from
// TANDEM_CODEC_SEED.
func TestArrivesAsItWas(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("TANDEM_CODEC_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("TANDEM_CODEC_SEED=%d", seed)
	m := maker{rand.New(rand.NewPCG(seed, 9))}
	accepted := 0
	for range effort.Or(30_000, 3000) {
		typ := m.typ(4)
		if _, err := Describe(typ); err != nil {
			continue
		}
		v := m.value(typ, 4)
		b, err := EncoderOf(typ, 64<<10).Append(nil, v.Interface())
		if err != nil {
			continue
		}
		accepted++
		got := reflect.New(typ)
		if err := Decode(b, got.Interface()); err != nil {
			t.Fatalf("%s: %#v is accepted and lost: %v", typ, v, err)
		}
		if d := differs(v, got.Elem(), ""); d != "" {
			t.Fatalf("%s: %s", typ, d)
		}
	}
	if accepted < 1000 {
		t.Errorf("%d were accepted", accepted)
	}
}

// The order in which keys are compared does not make a map another.
func TestNilKeys(t *testing.T) {
	keys := func() reflect.Value {
		return reflect.ValueOf(map[**int]bool{nil: true, new(*int): true, new(*int): false})
	}
	for range 100 {
		if d := differs(keys(), keys(), ""); d != "" {
			t.Fatal(d)
		}
	}
}

type (
	Bare  struct{}
	bears struct {
		*Bare
		Named *Bare
	}
)

// What is embedded is written as its fields: of a pointer to a struct that has
// none nothing says that it was there, as the documentation says.
func TestEmbeddedWithoutFields(t *testing.T) {
	typ := reflect.TypeFor[bears]()
	b, err := EncoderOf(typ, 64<<10).Append(nil, bears{new(Bare), new(Bare)})
	if err != nil {
		t.Fatal(err)
	}
	var got bears
	if err := Decode(b, &got); err != nil || got.Bare != nil || got.Named == nil {
		t.Errorf("%v arrives as %+v (%v)", b, got, err)
	}
}

type maker struct{ *rand.Rand }

type (
	text8   string
	small8  int8
	octet   uint8
	octets  []octet
	Inside  struct{ P, Q *int }
	inside  struct{ R, S any }
	Several struct {
		Inside
		inside
		T   []byte `cbor:"t,omitempty"`
		U   map[string]any
		Out func() `cbor:"-"`
		V   **int
		W   struct{ *Deeper }
		X   json.RawMessage
	}
	Deeper struct{ Time time.Time }
	row    struct {
		_ struct{} `cbor:",toarray"`
		A int
		B *string
		C any
	}
	hidden1 struct{ a, B int }
	clash   struct {
		Left
		Right
	}
)

var leaves = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int64](), reflect.TypeFor[uint8](),
	reflect.TypeFor[uint64](), reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](),
	reflect.TypeFor[any](), reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](), reflect.TypeFor[text8](), reflect.TypeFor[small8](),
	reflect.TypeFor[octets](), reflect.TypeFor[[3]octet](), reflect.TypeFor[Several](), reflect.TypeFor[row](), reflect.TypeFor[hidden1](),
	reflect.TypeFor[netip.Addr](), reflect.TypeFor[*big.Int](), reflect.TypeFor[big.Int](), reflect.TypeFor[*url.URL](), reflect.TypeFor[json.Number](),
	reflect.TypeFor[net.IP](), reflect.TypeFor[complex64](), reflect.TypeFor[chan int](), reflect.TypeFor[error](), reflect.TypeFor[caseless](),
	reflect.TypeFor[Stamp](), reflect.TypeFor[Event](), reflect.TypeFor[clash](), reflect.TypeFor[cbor.Tag](), reflect.TypeFor[cbor.ByteString](),
	reflect.TypeFor[partial](), reflect.TypeFor[half](), reflect.TypeFor[uintptr](),
}

func (m maker) typ(depth int) reflect.Type {
	k := m.IntN(12)
	if depth == 0 || k < 4 {
		return leaves[m.IntN(len(leaves))]
	}
	switch k {
	case 4, 5:
		return reflect.PointerTo(m.typ(depth - 1))
	case 6, 7:
		return reflect.SliceOf(m.typ(depth - 1))
	case 8:
		return reflect.ArrayOf(m.IntN(3), m.typ(depth-1))
	case 9, 10:
		key := m.typ(depth - 2 + depth%2)
		for !key.Comparable() {
			key = leaves[m.IntN(len(leaves))]
		}
		return reflect.MapOf(key, m.typ(depth-1))
	}
	var fs []reflect.StructField
	for i := range m.IntN(4) {
		tag := []reflect.StructTag{"", "", `cbor:"x"`, `json:",omitempty"`, `cbor:",omitzero"`, `cbor:"1,keyasint"`, `cbor:"" json:"-"`}[m.IntN(7)]
		fs = append(fs, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: m.typ(depth - 1), Tag: tag})
	}
	return reflect.StructOf(fs)
}

// value is one of type t; few of a kind, so that many are alike.
func (m maker) value(t reflect.Type, depth int) reflect.Value {
	v := reflect.New(t).Elem()
	if m.IntN(8) == 0 {
		return v
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		at := time.Date(m.IntN(10_100)-50, 1, m.IntN(366), m.IntN(24), 0, m.IntN(60), m.IntN(1e9), time.UTC)
		if m.IntN(3) > 0 {
			at = at.In(time.FixedZone("", m.IntN(200_000)-100_000))
		} else if m.IntN(2) == 0 {
			at = time.Now()
		}
		v.Set(reflect.ValueOf(at))
		return v
	case reflect.TypeFor[big.Int]():
		v.Set(reflect.ValueOf(*new(big.Int).Lsh(big.NewInt(m.Int64N(3)-1), uint(m.IntN(70)))))
		return v
	case reflect.TypeFor[netip.Addr]():
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{1, 2, 3, byte(m.IntN(3))})))
		return v
	case reflect.TypeFor[url.URL]():
		v.Set(reflect.ValueOf(url.URL{Scheme: "http", Host: "h", Path: "/p"}))
		return v
	case reflect.TypeFor[net.IP]():
		v.Set(reflect.ValueOf(net.IPv4(1, 2, 3, byte(m.IntN(3)))))
		return v
	case reflect.TypeFor[cbor.Tag]():
		v.Set(reflect.ValueOf(cbor.Tag{Number: []uint64{0, 4, 99}[m.IntN(3)], Content: m.value(reflect.TypeFor[any](), depth-1).Interface()}))
		return v
	case reflect.TypeFor[Stamp]():
		v.Field(0).Set(reflect.ValueOf(time.Now().Add(time.Duration(m.IntN(3)))))
		return v
	case reflect.TypeFor[caseless]():
		v.SetString([]string{"a", "b"}[m.IntN(2)])
		return v
	}
	few := []int64{0, 1, 1, 2, -1, 127, -128}
	switch t.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(append(few, math.MaxInt64, math.MinInt64)[m.IntN(9)])
	case reflect.Int8:
		v.SetInt(few[m.IntN(7)])
	case reflect.Uint8:
		v.SetUint(uint64(m.IntN(3)))
	case reflect.Uint64:
		v.SetUint([]uint64{1, 2, math.MaxUint64}[m.IntN(3)])
	case reflect.Float32, reflect.Float64:
		v.SetFloat([]float64{1, 1.5, 0.1, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), math.SmallestNonzeroFloat32}[m.IntN(8)])
	case reflect.String:
		v.SetString([]string{"a", "a", "b", "", "\xff\x00", strings.Repeat("long", 100)}[m.IntN(6)])
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(m.value(t.Elem(), depth))
	case reflect.Interface:
		if depth <= 0 || t.NumMethod() > 0 {
			return v
		}
		in := m.typ(min(depth, 2))
		v.Set(m.value(in, depth-1))
	case reflect.Slice:
		n := m.IntN(3)
		v.Set(reflect.MakeSlice(t, n, n+m.IntN(2)))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).Set(m.value(t.Elem(), depth-1))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		for range m.IntN(4) {
			func() {
				defer func() { _ = recover() }() // not every any can be a key
				v.SetMapIndex(m.value(t.Key(), depth-1), m.value(t.Elem(), depth-1))
			}()
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if f := v.Field(i); f.CanSet() && t.Field(i).Tag.Get("cbor") != "-" {
				f.Set(m.value(f.Type(), depth-1))
			} else if t.Field(i).Anonymous && f.Kind() == reflect.Struct {
				for j := range f.NumField() {
					f.Field(j).Set(m.value(f.Field(j).Type(), depth-1))
				}
			}
		}
	}
	return v
}

var canonical = func() cbor.EncMode {
	m, err := cbor.EncOptions{Sort: cbor.SortCanonical, ShortestFloat: cbor.ShortestFloat16, Time: cbor.TimeRFC3339Nano,
		TimeTag: cbor.EncTagRequired, TextMarshaler: cbor.TextMarshalerTextString}.EncMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// depth is how many pointers lead to a nil one, or to what is there.
func depth(v reflect.Value) (n int) {
	for ; v.Kind() == reflect.Pointer && !v.IsNil(); v = v.Elem() {
		n++
	}
	return n
}

// differs says where got is not what want is, but for what the documentation of
// package ring says.
func differs(want, got reflect.Value, at string) string {
	no := fmt.Sprintf("at %q: %#v arrives as %#v", at, want, got)
	sameIf := func(ok bool) string {
		if ok {
			return ""
		}
		return no
	}
	if k := want.Kind(); k == reflect.Interface || want.Type() == tagType {
		w, err := canonical.Marshal(zoned(want.Interface()))
		g, err2 := canonical.Marshal(got.Interface())
		slices.Sort(w) // several NaN keys have no order
		slices.Sort(g)
		return sameIf(err == nil && err2 == nil && bytes.Equal(w, g))
	}
	switch w := want.Interface().(type) {
	case time.Time:
		g := got.Interface().(time.Time)
		_, wo := w.Zone()
		_, go1 := g.Zone()
		return sameIf(w.Equal(g) && (wo-wo%60 == go1 || w.IsZero()))
	case big.Int:
		g := got.Interface().(big.Int)
		return sameIf(w.Cmp(&g) == 0)
	case netip.Addr:
		return sameIf(w == got.Interface())
	case url.URL:
		return sameIf(w == got.Interface())
	case net.IP:
		return sameIf(w.Equal(got.Interface().(net.IP)))
	case Stamp:
		return sameIf(w.Equal(got.Interface().(Stamp).Time))
	case caseless:
		return sameIf(strings.ToLower(string(w)) == string(got.Interface().(caseless)))
	}
	switch want.Kind() {
	case reflect.Pointer:
		if want.IsNil() || got.IsNil() {
			return sameIf(got.IsNil() && nothing(want))
		}
		return differs(want.Elem(), got.Elem(), at+"*")
	case reflect.Slice, reflect.Array:
		if want.Len() != got.Len() || want.Kind() == reflect.Slice && want.IsNil() != got.IsNil() {
			return no
		}
		for i := range want.Len() {
			if d := differs(want.Index(i), got.Index(i), fmt.Sprintf("%s[%d]", at, i)); d != "" {
				return d
			}
		}
		return ""
	case reflect.Map:
		if want.Len() != got.Len() || want.IsNil() != got.IsNil() {
			return no
		}
		left := got.MapKeys()
		// A nil key and one that points to nil are alike, and both may be there: nil comes last.
		slices.SortStableFunc(left, func(a, b reflect.Value) int { return cmp.Compare(depth(b), depth(a)) })
		for i := want.MapRange(); i.Next(); {
			found := false
			for j, k := range left {
				if differs(i.Key(), k, "") == "" && (k.Kind() == reflect.Float64 || k.Kind() == reflect.Float32 || !k.Equal(k) || differs(i.Value(), got.MapIndex(k), "") == "") {
					left, found = append(left[:j:j], left[j+1:]...), true
					break
				}
			}
			if !found {
				return no
			}
		}
		return ""
	case reflect.Struct:
		for i := range want.NumField() {
			f := want.Type().Field(i)
			if f.Name == "_" {
				continue
			}
			_, omit, zero := tagOf(f)
			w, g := want.Field(i), got.Field(i)
			switch {
			case omitted(f):
				if !g.IsZero() {
					return no
				}
			case !f.IsExported(): // of an embedded struct
				for j := range w.NumField() {
					if d := differs(w.Field(j), g.Field(j), at+"."+f.Name); d != "" {
						return d
					}
				}
			case omit && g.IsZero() && empty(w), zero && g.IsZero() && (w.IsZero() || saysZero(w)): // a tag leaves it out
			default:
				if d := differs(w, g, at+"."+f.Name); d != "" {
					return d
				}
			}
		}
		return ""
	case reflect.Float32, reflect.Float64:
		w, g := want.Float(), got.Float()
		return sameIf(w == g && math.Signbit(w) == math.Signbit(g) || w != w && g != g)
	}
	return sameIf(want.Equal(got))
}

// nothing is what a pointer to it arrives as nil for.
func nothing(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || nothing(v.Elem())
	case reflect.Slice, reflect.Map:
		return v.IsNil()
	}
	switch v := v.Interface().(type) {
	case time.Time:
		return v.IsZero()
	case cbor.Tag:
		return v.Number == 0 && v.Content == nil
	}
	return false
}

// empty is what omitempty leaves out.
func empty(v reflect.Value) bool {
	if k := v.Kind(); k == reflect.Pointer || k == reflect.Interface {
		return v.IsNil()
	}
	b, err := canonical.Marshal(v.Interface())
	return err == nil && len(b) > 0 && strings.Contains("\x00\x40\x60\x80\xa0\xf4\xf6\xf9", string(b[:1])) || nothing(v)
}
