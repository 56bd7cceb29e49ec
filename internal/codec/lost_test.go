package codec

import (
	"errors"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

type (
	Left  struct{ Name, Left string }
	Right struct{ Name, Right string }
	Event struct {
		time.Time
		Name string
	}
	Stamp    struct{ time.Time }
	Link     struct{ *url.URL }
	override struct {
		time.Time
		Name string
	}
	generic[T any] struct {
		time.Time
		Name T
	}
	loop struct {
		*loop
		A int
	}
)

func (o override) MarshalBinary() ([]byte, error)       { return []byte(o.Name), nil }
func (o *override) UnmarshalBinary(b []byte) error      { o.Name = string(b); return nil }
func (o generic[T]) MarshalBinary() ([]byte, error)     { return nil, nil }
func (o *generic[T]) UnmarshalBinary(b []byte) error    { return nil }
func (o *generic[T]) UnmarshalText(b []byte) error      { return nil }
func (o generic[T]) MarshalText() (_ []byte, err error) { return nil, nil }

// A type of which something would be lost silently is refused, naming it.
func TestSilentLoss(t *testing.T) {
	for want, bad := range map[string]reflect.Type{
		"Right.Name": reflect.TypeFor[struct {
			Left
			Right
		}](),
		"field Left.Name": reflect.TypeFor[struct {
			Name string
			Left
		}](),
		"field B": reflect.TypeFor[struct {
			A int `cbor:"x"`
			B int `json:"x"`
		}](),
		"field D": reflect.TypeFor[struct {
			C int `cbor:"1,keyasint"`
			D int `cbor:"+01,keyasint"`
		}](),
		"MarshalBinary is that of the embedded time.Time": reflect.TypeFor[Event](),
		"embedded *url.URL": reflect.TypeFor[[]*Link](),
		"Time": reflect.TypeFor[struct {
			time.Time
			netip.Addr
			A int
		}](),
		"MarshalText is that of the embedded big.Int": reflect.TypeFor[struct {
			big.Int
			A int
		}](),
		"MarshalCBOR": reflect.TypeFor[*struct {
			cbor.RawMessage
			A int
		}](),
		"A.In.loop": reflect.TypeFor[struct{ A *struct{ In loop } }](),
		"field U":   reflect.TypeFor[struct{ U uintptr }](),
		"field hiddenTag": reflect.TypeFor[struct {
			hiddenTag int `cbor:" -"`
		}](),
	} {
		if _, err := Describe(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for _, good := range []reflect.Type{
		reflect.TypeFor[Stamp](), reflect.TypeFor[override](), reflect.TypeFor[*override](), reflect.TypeFor[generic[int]](),
		reflect.TypeFor[struct {
			Left
			Name string `cbor:"name"`
		}](),
		reflect.TypeFor[struct {
			A int        `cbor:"1,keyasint"`
			B int        `cbor:"1"`
			C chan error `cbor:"" json:"-"`
		}](),
	} {
		if _, err := Describe(good); err != nil {
			t.Error(err)
		}
	}
	type secret struct{ a int }
	_, _, _ = secret{}.a, loop{}.loop, hidden1{}.a
	for name, bad := range map[string]any{
		"a": secret{}, "error": errors.New("lost"), "event": Event{Name: "lost"}, "names": struct {
			Left
			Right
		}{}, "raw": cbor.RawMessage{0xa2, 1, 2, 1, 3}, "raw list key": cbor.RawMessage{0xa1, 0x80, 1}, "tag": cbor.Tag{Number: 9, Content: map[int]any{1: &secret{}}},
		"tag key":  cbor.Tag{Number: 9, Content: cbor.RawMessage{0xa1, 0x80, 1}},
		"raw time": cbor.RawMessage{0xc0, 0x63, 'a', 'b', 'c'},
	} {
		for _, v := range []any{bad, []any{1, &bad}, map[string]any{"a": bad}, struct{ A any }{bad}, struct{ A any }{[]any{bad}}} {
			if _, err := encoded(v, 1000); err == nil {
				t.Errorf("%s in %T is accepted", name, v)
			}
		}
	}
	for name, good := range map[string]any{"stamp": Stamp{time.Now()}, "url": &url.URL{Host: "a"}, "raw": cbor.RawMessage{0xa1, 1, 2}, "big": big.NewFloat(2),
		"tag": cbor.Tag{Number: 9, Content: cbor.Tag{Number: 10, Content: []any{1, time.Now()}}}} {
		if b, err := encoded(good, 1000); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if err := Decode(b, new(any)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
