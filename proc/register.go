package proc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"

	"example.com/tandem/internal/codec"
	"example.com/tandem/shm"
)

// ErrNoMain is what Start returns where Main has not run: the child would run
// the program instead of its function, start a child in turn, and so on.
var ErrNoMain = errors.New("proc.Main was not called: it must be the first line of main or TestMain")

// A function is a registered one, with its argument's type folded in.
type function struct {
	name string
	site string // where it was registered
	arg  reflect.Type
	bind func(arg []byte) (func(context.Context) error, error) // decodes the argument; the result calls
}

var (
	functionsMu sync.Mutex
	functions   = map[string]*function{}

	mainCalled atomic.Bool
)

// Func is a function that can run in a child process. Register makes it.
type Func[A any] struct{ f *function }

// Register makes f startable as a process under a name that is unique in the
// program. Call it at package level:
//
//	var worker = proc.Register("worker", func(ctx context.Context, a Args) error { … })
//
// It never calls f. A second registration of one name, an empty name, a nil f
// and a registration after Main (which a child would not have) panic.
func Register[A any](name string, f func(context.Context, A) error) Func[A] {
	fn := &function{name: name, site: caller(), arg: reflect.TypeFor[A]()}
	if f == nil {
		panic(fmt.Sprintf("proc: Register(%q) at %s: nil function", name, fn.site))
	}
	fn.bind = func(arg []byte) (func(context.Context) error, error) {
		var a A
		if err := codec.Decode(arg, &a); err != nil {
			return nil, fmt.Errorf("argument of type %s does not decode: %w", fn.arg, err)
		}
		return func(ctx context.Context) error { return f(ctx, a) }, nil
	}
	register(fn)
	return Func[A]{fn}
}

func register(fn *function) {
	if fn.name == "" {
		panic(fmt.Sprintf("proc: Register at %s: empty name", fn.site))
	}
	if mainCalled.Load() {
		panic(fmt.Sprintf("proc: Register(%q) at %s: after Main: a child would not know it; register at package level", fn.name, fn.site))
	}
	functionsMu.Lock()
	defer functionsMu.Unlock()
	if first := functions[fn.name]; first != nil {
		panic(fmt.Sprintf("proc: Register(%q) at %s: the name is taken by the function registered at %s", fn.name, fn.site, first.site))
	}
	functions[fn.name] = fn
}

// caller is where Register was called.
func caller() string {
	_, file, line, ok := runtime.Caller(2)
	if !ok {
		return "?"
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// Main must be the first line of main, and of TestMain where tests start
// processes. In a child it runs the child's function and exits, and never
// returns. In every other process it returns at once, and from then on Start
// works. What comes before it in main runs in each child too.
func Main() {
	if !mainCalled.Swap(true) && child != nil {
		child.run()
	}
}

// Start runs f(ctx, arg) in a new process and returns once the process is
// there, without waiting for f to begin. The child is this program again:
// /proc/self/exe, with the arguments, environment and directory of this
// process; Main takes it over. name is o.Name, or the registered name.
//
// arg travels by CBOR (see the package comment for what can travel). The
// regions of the handles in it, and o.Regions, are handed on as descriptors.
//
// When ctx ends the child gets SIGTERM, and SIGKILL after o.Grace; a ctx that
// has already ended starts nothing and is the error. Start blocks for the time
// of a fork, or while o.Dir or the program's file is on a file system that does
// not answer: until ctx ends, which is the error then, and there is no child.
// Other Starts go on meanwhile.
//
// Errors: ErrNoMain, fs.ErrInvalid, ctx's, the operating system's, and that
// of an arg that does not encode, which names the field. A panic of what encodes
// arg goes on to the caller, and nothing was started. An arg that does not
// decode is found by the child: it says so on stderr and exits with code 1.
func (f Func[A]) Start(ctx context.Context, arg A, o *Options) (*Process, error) {
	const op = "proc.Start"
	if f.f == nil {
		return nil, &shm.Error{Op: op, Err: fmt.Errorf("a Func that Register did not make: %w", fs.ErrInvalid)}
	}
	if !mainCalled.Load() {
		return nil, &shm.Error{Op: op, Object: f.f.name, Err: ErrNoMain}
	}
	if o == nil {
		o = &Options{}
	}
	p, err := start(ctx, f.f, &arg, o)
	if err != nil {
		return nil, &shm.Error{Op: op, Object: f.f.name, Err: err}
	}
	return p, nil
}
