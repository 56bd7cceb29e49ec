package proc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/netip"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/tandem/proc"
)

// A Ticket is like a handle: its fields say nothing, its methods travel.
type Ticket struct{ n int }

func (k *Ticket) MarshalBinary() ([]byte, error) {
	if k.n < 0 {
		return nil, errors.New("ticket is void")
	}
	return fmt.Appendf(nil, "ticket %d", k.n), nil
}

func (k *Ticket) UnmarshalBinary(b []byte) error {
	if _, err := fmt.Sscanf(string(b), "ticket %d", &k.n); err != nil || k.n == 13 {
		return fmt.Errorf("no ticket: %q", b)
	}
	return nil
}

type base struct{ Level int8 }

type Node struct {
	Name string
	Next *Node
}

type everything struct {
	base
	Handle  *Ticket
	None    *Ticket
	Value   Ticket
	List    []*Ticket
	Values  []Ticket
	Map     map[string]*Ticket
	Nested  struct{ Deep [2]struct{ Handle *Ticket } }
	Time    time.Time
	Wait    time.Duration
	Addr    netip.Addr
	Big     *big.Int
	Bytes   []byte
	NoBytes []byte
	String  string // not UTF-8: a file name can be anything
	Floats  []float64
	Numbers []int64
	Uints   map[uint64]uint8
	Node    *Node
	Any     any
	stays   int `cbor:"-"`
	Long    []uint16
	Json    json.Number
	_       int
}

func (e *everything) fill() {
	e.Level, e.stays = -8, 1
	e.Handle, e.Value = &Ticket{1}, Ticket{2}
	e.List, e.Values = []*Ticket{{3}, nil, {4}}, []Ticket{{5}, {6}}
	e.Map = map[string]*Ticket{"seven": {7}}
	e.Nested.Deep[1].Handle = &Ticket{8}
	e.Time = time.Date(2031, 2, 3, 4, 5, 6, 789, time.FixedZone("", 3600)).UTC()
	e.Wait = time.Hour + 1
	e.Addr = netip.MustParseAddr("fe80::1%eth0")
	e.Big, _ = new(big.Int).SetString("123456789012345678901234567890", 10)
	e.Bytes = []byte{}
	e.String = "caf\xe9\x00"
	e.Floats = []float64{math.Inf(-1), math.Copysign(0, -1), math.SmallestNonzeroFloat64, math.MaxFloat64}
	e.Numbers = []int64{math.MinInt64, math.MaxInt64}
	e.Uints = map[uint64]uint8{math.MaxUint64: 255}
	e.Node = &Node{"a", &Node{"b", nil}}
	e.Any = []any{"x", true, nil}
	e.Long = make([]uint16, 200_000)
	e.Long[199_999] = 1
	e.Json = "1.50"
}

var compare = proc.Register("compare", func(ctx context.Context, got everything) error {
	var want everything
	want.fill()
	v, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && !reflect.DeepEqual(v.Field(i).Interface(), w.Field(i).Interface()) {
			return fmt.Errorf("%s is %v, want %v", f.Name, v.Field(i), w.Field(i))
		}
	}
	if got.base != want.base || got.stays != 0 {
		return fmt.Errorf("base is %v, stays is %d", got.base, got.stays)
	}
	return nil
})

// X2.
func TestArgument(t *testing.T) {
	onlyLinux(t)
	var a everything
	a.fill()
	wantCode(t, start(t, compare, a, nil), 0)
}

func onlyLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("processes need Linux")
	}
}

type (
	lockedUp struct{ Inner []struct{ mu int } }
	callback struct{ F func() }
	reader   struct{ In map[string]io.Reader }
	sheet    struct{ C complex128 }
)

var (
	takesLockedUp = proc.Register("takes lockedUp", func(context.Context, lockedUp) error { return nil })
	takesCallback = proc.Register("takes callback", func(context.Context, callback) error { return nil })
	takesReader   = proc.Register("takes reader", func(context.Context, reader) error { return nil })
	takesSheet    = proc.Register("takes sheet", func(context.Context, *sheet) error { return nil })
	takesAny      = proc.Register("takes any", func(context.Context, any) error { return nil })
	takesTicket   = proc.Register("takes ticket", func(context.Context, *Ticket) error { return nil })
	takesBytes    = proc.Register("takes bytes", func(context.Context, []byte) error { return nil })
)

// F10: an argument that cannot be encoded is an error at the call.
func TestArgumentDoesNotEncode(t *testing.T) {
	onlyLinux(t)
	for _, tt := range []struct {
		start func() (*proc.Process, error)
		want  string
	}{
		{func() (*proc.Process, error) { return startNow(takesLockedUp, lockedUp{}) }, "proc_test.lockedUp.Inner[].mu is unexported"},
		{func() (*proc.Process, error) { return startNow(takesCallback, callback{}) }, "proc_test.callback.F is a func"},
		{func() (*proc.Process, error) { return startNow(takesReader, reader{}) }, "proc_test.reader.In[] is of interface type io.Reader"},
		{func() (*proc.Process, error) { return startNow(takesSheet, nil) }, "proc_test.sheet.C is a complex128"},
		{func() (*proc.Process, error) { return startNow(takesAny, any(make(chan int))) }, "chan int"},
		{func() (*proc.Process, error) { return startNow(takesTicket, &Ticket{-1}) }, "ticket is void"},
	} {
		p, err := tt.start()
		if p != nil || err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "proc.Start takes ") {
			t.Errorf("Start = %v, %v, want %s", p, err, tt.want)
		}
	}
}

func startNow[A any](f proc.Func[A], arg A) (*proc.Process, error) {
	return f.Start(context.Background(), arg, nil)
}

func TestArgumentDoesNotDecode(t *testing.T) {
	onlyLinux(t)
	var stderr bytes.Buffer
	wantCode(t, start(t, takesTicket, &Ticket{13}, &proc.Options{Stderr: &stderr}), 1)
	if want := `takes ticket: proc: argument of type *proc_test.Ticket does not decode: no ticket: "ticket 13"` + "\n"; stderr.String() != want {
		t.Errorf("stderr %q, want %q", stderr.String(), want)
	}
}

// F31, F32: a child that crashes before it has read a large argument leaves
// nobody hanging.
func TestCrashBeforeArgument(t *testing.T) {
	onlyLinux(t)
	arg := make([]byte, 16<<20)
	wantCode(t, start(t, takesBytes, arg, nil), 0)
	wantCode(t, start(t, takesBytes, arg, &proc.Options{Env: []string{crashVar + "=1"}}), 7)
}

const crashVar = "TANDEM_PROC_TEST_CRASH"

func init() {
	if os.Getenv(crashVar) != "" {
		os.Exit(7)
	}
}
