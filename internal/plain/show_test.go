package plain_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"example.com/tandem/internal/plain"
)

func raw[T any](x *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(x)), unsafe.Sizeof(*x)) }

func shows[T any](t *testing.T, x T, want string) {
	t.Helper()
	d, err := plain.Describe(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	if got := plain.Show(d.Text, raw(&x)); got != want {
		t.Errorf("%T: %q, want %q", x, got, want)
	}
}

func TestShow(t *testing.T) {
	shows(t, int8(-3), "-3")
	shows(t, uint64(math.MaxUint64), "18446744073709551615")
	shows(t, int64(math.MinInt64), "-9223372036854775808")
	shows(t, true, "true")
	shows(t, float32(0.1), "0.1")
	shows(t, complex(1, -2), "(1-2i)")
	shows(t, complex64(complex(0, math.Inf(1))), "(0+Infi)")
	shows(t, [3]uint8{1, 2, 3}, "[1 2 3]")
	shows(t, [2][3]int16{{1, 2, 3}, {4, 5, -6}}, "[[1 2 3] [4 5 -6]]")
	shows(t, holed{A: -1, B: 300, C: true}, "{A: -1, B: 300, C: true}")
	shows(t, vec{Max: [3]float64{1, 2.5, -3}}, "{Min: [0 0 0], Max: [1 2.5 -3]}")
	shows(t, [2]holed{{A: 1}, {B: 2, C: true}}, "{[].A: [1 0], [].B: [0 2], [].C: [false true]}")
	shows(t, struct{ Jobs [2]struct{ Done [2]bool } }{[2]struct{ Done [2]bool }{{}, {[2]bool{false, true}}}}, "{Jobs[].Done: [[false false] [false true]]}")
	shows(t, struct{}{}, "")
	shows(t, [200]int64{}, "["+strings.TrimSpace(strings.Repeat("0 ", 121))+" …")
	if got := plain.Show("A int64 @0\nB int64 @8\nsize 16 align 8", make([]byte, 12)); got != "{A: 0, B: ?}" {
		t.Errorf("of a value that is cut: %q", got)
	}
}

// Whatever stands in a description, it is shown without a panic, and soon.
func TestShowDamaged(t *testing.T) {
	whole := "A [2][3]int32 @8 stride 24\nB complex128 @64\nC[].D [1099511627775][7]bool @0 stride 1,1\nsize 96 align 8"
	if got := plain.Show(whole, make([]byte, 96)); len(got) > 400 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		b := []byte(whole)
		for range 1 + r.IntN(6) {
			b[r.IntN(len(b))] = "0123456789 @[],.{}\nabint-"[r.IntN(25)]
		}
		if got := plain.Show(string(b), make([]byte, r.IntN(100))); len(got) > 1000 {
			t.Fatalf("%q: %d bytes: %s", b, len(got), fmt.Sprint(got[:100]))
		}
	}
}
