package codec

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/fxamacker/cbor/v2"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/mem"
)

type (
	node1 struct {
		V    int
		Next *node1
	}
	node2  struct{ Other *node3 }
	node3  struct{ Others []node2 }
	nest   []nest
	maps   map[string]maps
	both   struct{ Left, Right *both }
	itself *itself
	raw    struct {
		In  *raw
		Raw cbor.RawMessage
	}
)

func chain(n int) *node1 {
	var l *node1
	for i := range n {
		l = &node1{i, l}
	}
	return l
}

func nested(n int) any {
	var v any
	for range n {
		v = []any{v}
	}
	return v
}

func doubled(n int) *both {
	b := &both{}
	for range n {
		b = &both{b, b}
	}
	return b
}

func encoded[T any](v T, most int) ([]byte, error) {
	return EncoderOf(reflect.TypeFor[T](), most).Append(nil, v)
}

func unfit(err error) (large, ok bool) {
	var u *Unfit
	ok = errors.As(err, &u)
	return ok && u.Large, ok
}

// What has no end is refused, in no more time than its limit takes, and as that.
func TestEndless(t *testing.T) {
	n := chain(3)
	n.Next.Next.Next = n
	two := &node3{make([]node2, 1000)}
	two.Others[999].Other = two
	s := make(nest, 2)
	s[1] = s
	m := maps{"a": {}}
	m["b"] = m
	var loop any
	loop = &loop
	var inner any = map[string]any{"list": []any{1, &loop}}
	tree := map[string]any{}
	tree["it"] = []any{tree}
	keys := map[any]any{}
	keys[&node1{1, n}] = 1
	var i itself
	i = &i
	for _, most := range []int{100, 64 << 10, 0} {
		for name, v := range map[string]any{"list": n, "struct": *n, "two": two, "slice": s, "map": m, "any": loop, "in any": inner, "any map": tree, "key": keys, "pointer": i} {
			_, err := encoded[any](v, most)
			if _, ok := unfit(err); !ok {
				t.Errorf("%s, at most %d: %v", name, most, err)
			}
			if most == 0 && name != "pointer" && name != "key" && err != errEndless {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := encoded(n, most); err != errEndless {
			t.Errorf("at most %d: %v", most, err)
		}
		if _, err := encoded(i, most); err != errNowhere {
			t.Errorf("at most %d: %v", most, err)
		}
	}
	if _, err := Describe(reflect.TypeFor[struct{ P []itself }]()); err == nil || !strings.Contains(err.Error(), "P[]") {
		t.Errorf("Describe of a pointer to its own type: %v", err)
	}
}

// What is accepted decodes, however deep.
func TestDeep(t *testing.T) {
	if mem.RaceEnabled {
		t.Skip("nothing here is shared, and deep stacks take the race detector a minute")
	}
	for _, tt := range []struct {
		name string
		v    func(levels int) any
		most int
		long bool
	}{
		{"list", func(n int) any { return *chain(n) }, 8 << 20, true},
		{"list, met again deeper", func(n int) any { c := chain(n - 2); return []any{c, []any{c}} }, 8 << 20, false},
		{"slices", nested, 0, true},
		{"not seen into", func(n int) any {
			in := raw{Raw: cbor.RawMessage(strings.Repeat("\x81", 10) + "\x01")}
			for range n - 11 {
				out := in
				in = raw{In: &out, Raw: cbor.RawMessage("\x01")}
			}
			return in
		}, 0, false},
		{"a tag", func(n int) any { return []any{cbor.Tag{Number: 99, Content: nested(n - 2)}} }, 8 << 20, true}, // refused one early
	} {
		if tt.long && !effort.Long() {
			continue // each takes a while
		}
		b, err := encoded(tt.v(deepest), tt.most)
		if err != nil {
			t.Errorf("%s of %d: %v", tt.name, deepest, err)
		} else if err := Decode(b, reflect.New(reflect.TypeOf(tt.v(20))).Interface()); err != nil {
			t.Errorf("%s of %d is accepted and lost: %v", tt.name, deepest, err)
		}
		if _, err := encoded(tt.v(deepest+1), tt.most); err == nil || !strings.Contains(err.Error(), "level") {
			t.Errorf("%s of %d: %v", tt.name, deepest+1, err)
		}
	}
	if _, err := encoded(chain(3), 8<<20); err != nil {
		t.Error(err)
	}
}

// What is written out again and again is too much before it is.
func TestShared(t *testing.T) {
	long := strings.Repeat("long ", 20<<10)
	for name, v := range map[string]any{
		"pointers": doubled(100),
		"in any":   []any{doubled(100)},
		"strings":  repeated(long, 4_000),
		"bytes":    repeated([]byte(long), 4_000),
		"numbers":  repeated(make([]int64, 100<<10), 4_000),
		"maps":     repeated(map[string]string{"a": long}, 4_000),
		"big":      repeated(*new(big.Int).Lsh(big.NewInt(1), 1<<20), 4_000),
	} {
		for _, most := range []int{64 << 10, 0} {
			if name == "big" && most == 0 {
				continue // those are not known again
			}
			if _, err := encoded(v, most); err == nil {
				t.Errorf("%s, at most %d: accepted", name, most)
			} else if large, _ := unfit(err); !large {
				t.Errorf("%s, at most %d: %v", name, most, err)
			}
		}
	}
	// What is long once is not refused, nor a little sharing.
	for name, v := range map[string]any{"long": repeated(strings.Repeat(long, 20), 10), "shared": repeated(doubled(3), 100)} {
		if _, err := encoded(v, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func repeated[T any](v T, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = v
	}
	return s
}

type everyKind struct {
	Name   string `cbor:"n"`
	Omit   string `cbor:",omitempty"`
	Zero   time.Duration
	Omits  []string `json:"omits,omitempty"`
	Zeros  struct{ S []string }
	Struct struct {
		A, B string
		P    *string
		C    [3]uint16
	} `cbor:"s,omitzero"`
	Bytes [][]byte
	Map   map[string]map[int32]string
	Nodes []*node1
	Tree  map[[2]int]*everyKind
	Array [2][]float64
	Dot
	*Embedded
	Left []string `cbor:"-"`
}

type (
	Dot      struct{ X, Y uint8 }
	Embedded struct{ Tags []string }
)

type everyAny struct {
	everyKind
	Any []any
}

// Weights are at most what encodes: no message is refused that is as long as
// may be, and W2 says no other than W1.
func TestWeighsTooLittle(t *testing.T) {
	f := func(k everyKind, anys []int16, seed uint64) bool {
		v := everyAny{everyKind: k}
		r := rand.New(rand.NewPCG(seed, 1))
		for _, a := range anys {
			v.Any = append(v.Any, []any{int(a), v.Name, v.Nodes, map[string]any{v.Omit: v.Map}, &v.Struct, nil, v.Omits}[r.IntN(7)])
		}
		b, err := encoded(v, 0)
		if err != nil {
			t.Log(err)
			return false
		}
		if err := Decode(b, new(everyAny)); err != nil {
			t.Log(err)
			return false
		}
		n, of := nodeOf(reflect.TypeFor[everyAny]()), reflect.ValueOf(v)
		w1 := weigher{limit: len(b)}
		w2 := weigher{limit: len(b), met: map[ref]*sum{}}
		err1, err2 := w1.value(n, of, place{}), w2.value(n, of, place{})
		if err1 != nil || err2 != nil || w1.total != w2.total || w1.deep != w2.deep {
			t.Log(err1, err2, w1.total, w2.total, w1.deep, w2.deep, len(b))
			return false
		}
		return true
	}
	if err := quick.Check(f, &quick.Config{MaxCount: 100, Rand: nil}); err != nil {
		t.Error(strings.SplitN(err.Error(), "\n", 2)[0][:60])
	}
}

// Which types are looked at: those that can hold a value several times.
func TestLookedAt(t *testing.T) {
	type job struct {
		ID   int
		URL  string
		At   time.Time
		Next *Dot
		More []Dot
		By   map[int]bool
		Data []byte
	}
	for want, types := range map[bool][]reflect.Type{
		false: {reflect.TypeFor[job](), reflect.TypeFor[*job](), reflect.TypeFor[[]int](), reflect.TypeFor[[]*Dot](), reflect.TypeFor[big.Int]()},
		true: {reflect.TypeFor[[]string](), reflect.TypeFor[any](), reflect.TypeFor[node1](), reflect.TypeFor[[]job](),
			reflect.TypeFor[map[string]int](), reflect.TypeFor[[]*[1000]int](), reflect.TypeFor[cbor.Tag](), reflect.TypeFor[nest](), reflect.TypeFor[[100]string]()},
	} {
		for _, x := range types {
			if got := nodeOf(x).copies >= many; got != want {
				t.Errorf("%s: looked at %v, want %v", x, got, want)
			}
		}
	}
}

type (
	textOut   struct{ A int }
	textBoth  struct{ A int }
	level     string
	binaryOut []int
	bytesOut  []byte
)

func (textOut) MarshalText() ([]byte, error)     { return []byte("x"), nil }
func (textBoth) MarshalText() ([]byte, error)    { return []byte("x"), nil }
func (*textBoth) UnmarshalText([]byte) error     { return nil }
func (level) MarshalText() ([]byte, error)       { return []byte("x"), nil }
func (binaryOut) MarshalBinary() ([]byte, error) { return []byte("x"), nil }
func (bytesOut) MarshalBinary() ([]byte, error)  { return []byte("x"), nil }

// What would not decode is refused when it is encoded, or before.
func TestWouldNotDecode(t *testing.T) {
	type point struct{ X, Y int }
	for _, bad := range []any{
		map[point]int{{}: 1}, map[string]any{"a": map[[2]int]int{{}: 1}}, map[any]int{point{}: 1}, map[any]int{&point{}: 1},
		cbor.Tag{Number: 1, Content: "x"},
	} {
		if _, err := encoded(bad, 100); err == nil {
			t.Errorf("%T is accepted", bad)
		}
	}
	for _, good := range []any{
		map[[3]byte]int{{}: 1}, map[textBoth]int{{}: 1}, map[any]int{time.Now(): 1, "a": 2, 1.5: 3, true: 4, new(string): 5},
		map[point]int{}, cbor.Tag{Number: 0, Content: "2031-02-03T04:05:06Z"}, map[string]any{"a": map[level]int{"b": 1}},
	} {
		b, err := encoded(good, 100)
		if err != nil {
			t.Errorf("%T: %v", good, err)
		} else if err := Decode(b, new(any)); err != nil {
			t.Errorf("%T is accepted and lost: %v", good, err)
		}
	}
	b, err := encoded(map[point]map[[2]int]string{{1, 2}: {{3, 4}: "x"}}, 100) // not in an interface
	if err != nil || Decode(b, new(map[point]map[[2]int]string)) != nil {
		t.Error(err)
	}
	for _, bad := range []reflect.Type{reflect.TypeFor[textOut](), reflect.TypeFor[[]struct{ B binaryOut }](), reflect.TypeFor[*textOut](), reflect.TypeFor[level](), reflect.TypeFor[bytesOut]()} {
		if _, err := Describe(bad); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	for _, good := range []reflect.Type{reflect.TypeFor[textBoth](), reflect.TypeFor[time.Time](), reflect.TypeFor[big.Int]()} {
		if _, err := Describe(good); err != nil {
			t.Error(err)
		}
	}
}

type (
	boundless struct{ calls *int }
	wordy     struct{ N int }
)

func (b boundless) MarshalBinary() ([]byte, error) {
	if *b.calls++; *b.calls > 3 {
		panic("asked again")
	}
	return make([]byte, 4<<20), nil
}
func (*boundless) UnmarshalBinary([]byte) error  { return nil }
func (w wordy) MarshalText() ([]byte, error)     { return make([]byte, w.N), nil }
func (w *wordy) UnmarshalText(text []byte) error { w.N = len(text); return nil }

// What a marshaler returns is too long before it has been copied.
func TestMarshalerIsMeasured(t *testing.T) {
	for name, v := range map[string]func(boundless) any{
		"itself": func(b boundless) any { return b },
		"field":  func(b boundless) any { return struct{ A, B boundless }{b, b} },
		"list":   func(b boundless) any { return repeated(&b, 1_000_000) },
		"any":    func(b boundless) any { return map[string]any{"a": b} },
	} {
		calls := 0
		x := v(boundless{&calls})
		before := allocated()
		b, err := EncoderOf(reflect.TypeOf(x), 64<<10).Append(nil, x)
		if got := allocated() - before; got > 10<<20 { // two looks, no copy
			t.Errorf("%s: %d MiB are allocated", name, got>>20)
		}
		if large, _ := unfit(err); !large || len(b) > 0 {
			t.Errorf("%s: %v, after %d calls", name, err, calls)
		}
	}
	if _, err := encoded(repeated(&wordy{1 << 20}, 1000), 0); err == nil {
		t.Error("one value that is written out a thousand times, in 1 GiB, is accepted")
	}
	b, err := encoded([]wordy{{60 << 10}, {3000}}, 64<<10)
	var got []wordy
	if err != nil || Decode(b, &got) != nil || len(got) != 2 || got[0].N != 60<<10 {
		t.Errorf("%v, %v", got, err)
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
