package plain_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"example.com/tandem/internal/plain"
)

type (
	celsius float64
	pair    struct{ A, B int32 }
	holed   struct {
		A int8
		B int16
		_ uint32
		C bool
	}
	vec  struct{ Min, Max [3]float64 }
	job  struct{ URL string }
	deep struct {
		ID  int
		Job job
	}
	withBase struct {
		pair
		C complex64
	}
	list  struct{ Next *list }
	token struct{}
	guard struct {
		_ [0]func()
		N int64
	}
	blankPointer struct {
		N int64
		_ *int
	}
)

func describe[T any](t *testing.T) *plain.Type {
	t.Helper()
	d, err := plain.Describe(reflect.TypeFor[T]())
	if err != nil {
		t.Fatalf("Describe(%s) = %v", reflect.TypeFor[T](), err)
	}
	return d
}

func TestDescribe(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{false, ". bool @0|size 1 align 1"},
		{int(0), ". int64 @0|size 8 align 8"},
		{uint(0), ". uint64 @0|size 8 align 8"},
		{int8(0), ". int8 @0|size 1 align 1"},
		{'x', ". int32 @0|size 4 align 4"},
		{byte(0), ". uint8 @0|size 1 align 1"},
		{float32(0), ". float32 @0|size 4 align 4"},
		{celsius(0), ". float64 @0|size 8 align 8"},
		{complex128(0), ". complex128 @0|size 16 align 8"},
		{time.Duration(0), ". int64 @0|size 8 align 8"},
		{[4]float64{}, ". [4]float64 @0|size 32 align 8"},
		{[2][3]int8{}, ". [2][3]int8 @0|size 6 align 1"},
		{pair{}, "A int32 @0|B int32 @4|size 8 align 4"},
		{holed{}, "A int8 @0|B int16 @2|C bool @8|size 12 align 4"},
		{vec{}, "Min [3]float64 @0|Max [3]float64 @24|size 48 align 8"},
		{withBase{}, "pair.A int32 @0|pair.B int32 @4|C complex64 @8|size 16 align 4"},
		{[3]holed{}, "[].A [3]int8 @0 stride 12|[].B [3]int16 @2 stride 12|[].C [3]bool @8 stride 12|size 36 align 4"},
		{
			struct {
				N    int8
				Grid [2][3]struct{ Boxes [4]struct{ P pair } }
			}{},
			"N int8 @0|Grid[][].Boxes[].P.A [2][3][4]int32 @4 stride 96,32,8|Grid[][].Boxes[].P.B [2][3][4]int32 @8 stride 96,32,8|size 196 align 4",
		},
		{token{}, "size 0 align 1"},
		{[0]string{}, "size 0 align 8"},
		{guard{}, "N int64 @0|size 8 align 8"},
		{[0]pair{}, "size 0 align 4"},
	} {
		want := strings.ReplaceAll(tt.want, "|", "\n")
		d, err := plain.Describe(reflect.TypeOf(tt.v))
		if err != nil {
			t.Errorf("Describe(%T) = %v", tt.v, err)
			continue
		}
		if d.Text != want {
			t.Errorf("Describe(%T):\n%s\nwant\n%s", tt.v, d.Text, want)
		}
		if again, _ := plain.Describe(reflect.TypeOf(tt.v)); again != d {
			t.Errorf("Describe(%T) was not cached", tt.v)
		}
	}
}

func TestDescribeRefuses(t *testing.T) {
	for _, tt := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[string](), "not plain: string"},
		{reflect.TypeFor[*int](), "not plain: *int"},
		{reflect.TypeFor[[]byte](), "not plain: []uint8"},
		{reflect.TypeFor[any](), "not plain: interface {}"},
		{reflect.TypeFor[uintptr](), "not plain: uintptr"},
		{reflect.TypeFor[unsafe.Pointer](), "not plain: unsafe.Pointer"},
		{reflect.TypeFor[chan int](), "not plain: chan int"},
		{reflect.TypeFor[func()](), "not plain: func()"},
		{reflect.TypeFor[job](), "field job.URL is a string"},
		{reflect.TypeFor[deep](), "field deep.Job.URL is a string"},
		{reflect.TypeFor[[3]deep](), "field [].Job.URL is a string"},
		{reflect.TypeFor[[3]string](), "field [] is a string"},
		{reflect.TypeFor[struct{ P [2][2]*int }](), "field P[][] is a *int"},
		{reflect.TypeFor[struct{ E error }](), "field E is an error"},
		{reflect.TypeFor[struct{ E any }](), "field E is an interface {}"},
		{reflect.TypeFor[struct{ A uintptr }](), "field A is a uintptr"},
		{reflect.TypeFor[struct{ M map[string]int }](), "field M is a map[string]int"},
		{reflect.TypeFor[list](), "field list.Next is a *plain_test.list"},
		{reflect.TypeFor[blankPointer](), "field blankPointer._ is a *int"},
		{reflect.TypeFor[time.Time](), "field Time.loc is a *time.Location"},
	} {
		for range 2 { // the second time from the cache
			d, err := plain.Describe(tt.typ)
			if d != nil || !errors.Is(err, plain.ErrNotPlain) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Describe(%s) = %v, %v; want ErrNotPlain with %q", tt.typ, d, err, tt.want)
			}
		}
	}
}

func TestDiff(t *testing.T) {
	type ab struct {
		A int32
		B float64
	}
	text := func(v any) string {
		d, err := plain.Describe(reflect.TypeOf(v))
		if err != nil {
			t.Fatal(err)
		}
		return d.Text
	}
	for _, tt := range []struct {
		here, there string
		want        string
	}{
		{text(ab{}), text(ab{}), ""},
		{text(ab{}), text(struct {
			A int32
			B int64
		}{}), "field B: float64 here, int64 in the region"},
		{text(ab{}), text(struct {
			A, C int32
			B    float64
		}{}), "field C: not here, int32 in the region"},
		{text(ab{}), text(struct{ B float64 }{}), "field A: int32 here, not in the region; field B: float64 @8 here, float64 @0 in the region"},
		{text(int64(0)), text(uint64(0)), "type: int64 here, uint64 in the region"},
		{text([3]int64{}), text([4]int64{}), "type: [3]int64 here, [4]int64 in the region"},
		{text(token{}), text([0]int64{}), "size 0 align 1 here, size 0 align 8 in the region"},
		{text(struct {
			N int64
			_ int64
		}{}), text(guard{}), "size 16 align 8 here, size 8 align 8 in the region"},
		{text(struct{ Size int8 }{}), text(struct{ Size uint8 }{}), "field Size: int8 here, uint8 in the region"},
		{text(struct{ size int8 }{}), text(struct{ size uint8 }{}), "field size: int8 here, uint8 in the region"},
		{
			text(struct{ A, B, C, D, E, F int8 }{}), text(struct{ A, B, C, D, E, F uint8 }{}),
			"field A: int8 here, uint8 in the region; field B: int8 here, uint8 in the region; field C: int8 here, uint8 in the region; field D: int8 here, uint8 in the region; and 2 more",
		},
		{"A int8 @0\nB int8 @1\nsize 2 align 1", "B int8 @1\nA int8 @0\nsize 2 align 1", "the same fields in another order"},
		{text(int8(0)), "", "type: int8 here, not in the region"},
		{text(int8(0)), "\x00\n\n @@ \n", "type: int8 here, not in the region; field \x00: not here,  in the region; field : not here,  in the region; field : not here, @@ in the region"},
	} {
		if got := plain.Diff(tt.here, tt.there); got != tt.want {
			t.Errorf("Diff(%q, %q)\n= %q\nwant %q", tt.here, tt.there, got, tt.want)
		}
	}
}

func TestWordAndMask(t *testing.T) {
	if d := describe[pair](t); d.Word() != 8 || d.Mask() != ^uint64(0) || d.HasPadding() {
		t.Errorf("pair: word %d, mask %x, padding %v", d.Word(), d.Mask(), d.Padding)
	}
	if d := describe[struct {
		A int8
		B int16
		C int8
	}](t); d.Size != 6 || d.Word() != 0 {
		t.Errorf("six bytes: word %d of %d", d.Word(), d.Size)
	}
	if d := describe[struct {
		A int8
		B int16
	}](t); d.Word() != 4 || d.Mask() != 0xffff00ff {
		t.Errorf("word %d, mask %x", d.Word(), d.Mask())
	}
	if d := describe[struct {
		A int32
		B int8
		_ [3]byte
	}](t); d.Word() != 8 || d.Mask() != 0xffffffffff || len(d.Padding) != 1 {
		t.Errorf("word %d, mask %x, padding %v", d.Word(), d.Mask(), d.Padding)
	}
	if d := describe[bool](t); d.Word() != 1 || d.Mask() != 1 {
		t.Errorf("word %d, mask %x", d.Word(), d.Mask())
	}
	if d := describe[[3]byte](t); d.Word() != 0 {
		t.Errorf("word %d", d.Word())
	}
}

// data marks the bytes of t that hold data, found the long way round.
func data(t reflect.Type, b []byte) {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.Name != "_" {
				data(f.Type, b[f.Offset:])
			}
		}
	case reflect.Array:
		for i := range t.Len() {
			data(t.Elem(), b[uintptr(i)*t.Elem().Size():])
		}
	default:
		for i := range t.Size() {
			b[i] = 0xff
		}
	}
}

// bools leaves the lowest bit of each bool's byte.
func bools(t reflect.Type, b []byte) {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.Name != "_" {
				bools(f.Type, b[f.Offset:])
			}
		}
	case reflect.Array:
		for i := range t.Len() {
			bools(t.Elem(), b[uintptr(i)*t.Elem().Size():])
		}
	case reflect.Bool:
		b[0] &= 1
	}
}

// randomType makes types of all shapes.
func randomType(r *rand.Rand, depth int) reflect.Type {
	scalars := []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[int8](), reflect.TypeFor[uint16](), reflect.TypeFor[float32](),
		reflect.TypeFor[int64](), reflect.TypeFor[complex64](), reflect.TypeFor[complex128](), reflect.TypeFor[struct{}](),
		reflect.TypeFor[holed](), reflect.TypeFor[struct {
			A uint8
			_ struct{ X int16 }
			B int32
			_ [5]byte
		}](),
	}
	switch k := r.IntN(6); {
	case depth == 0 || k < 2:
		return scalars[r.IntN(len(scalars))]
	case k == 2:
		return reflect.ArrayOf(r.IntN(4), randomType(r, depth-1))
	default:
		fs := make([]reflect.StructField, r.IntN(5))
		for i := range fs {
			fs[i] = reflect.StructField{Name: string(rune('A' + i)), Type: randomType(r, depth-1)}
		}
		return reflect.StructOf(fs)
	}
}

func TestPaddingIsWhatHoldsNoData(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	padded := 0
	for range 2000 {
		typ := randomType(r, 4)
		d, err := plain.Describe(typ)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, typ.Size())
		data(typ, want)
		v := make([]uint64, typ.Size()/8+2) // with a guard behind
		got := unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*8)
		for i := range got {
			got[i] = 0xff
		}
		d.ZeroPadding(unsafe.Pointer(&v[0]))
		if !bytes.Equal(got[:len(want)], want) {
			t.Fatalf("%s:\nkept %x\nwant %x", typ, got[:len(want)], want)
		}
		if bytes.IndexByte(got[len(want):], 0) >= 0 {
			t.Fatalf("%s: wrote past the end", typ)
		}
		bools(typ, want)
		d.Mend(unsafe.Pointer(&v[0]))
		if !bytes.Equal(got[:len(want)], want) || bytes.IndexByte(got[len(want):], 0) >= 0 {
			t.Fatalf("%s:\nmended %x\nwant   %x", typ, got, want)
		}
		if d.Mended() != bytes.ContainsAny(want, "\x00\x01") {
			t.Fatalf("%s: Mended = %v", typ, d.Mended())
		}
		if d.HasPadding() != bytes.Contains(want, []byte{0}) {
			t.Fatalf("%s: HasPadding = %v", typ, d.HasPadding())
		}
		if d.HasPadding() {
			padded++
		}
		if w := d.Word(); w != 0 {
			var m [8]byte
			copy(m[:], want)
			bools(typ, m[:])
			if d.Mask() != *(*uint64)(unsafe.Pointer(&m)) {
				t.Fatalf("%s: mask %x, want %x", typ, d.Mask(), m)
			}
		}
	}
	if padded < 200 {
		t.Errorf("only %d of the types were padded", padded)
	}
}

func FuzzDiff(f *testing.F) {
	f.Add("A int8 @0\nsize 1 align 1", "size 1\nA")
	f.Fuzz(func(t *testing.T, a, b string) {
		if d := plain.Diff(a, b); (d == "") != (a == b) {
			t.Errorf("Diff(%q, %q) = %q", a, b, d)
		}
	})
}
