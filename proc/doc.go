// Package proc starts this program's own functions in processes, as Python's
// multiprocessing.Process does.
//
// A function is registered at package level, [Main] is the first line of main,
// and [Func.Start] runs the function in a child:
//
//	var worker = proc.Register("worker", func(ctx context.Context, a Args) error { … })
//
//	func main() {
//		proc.Main() // in a child this runs worker and exits
//		p, err := worker.Start(ctx, Args{jobs, 3}, nil)
//		…
//		err = p.Wait(ctx)
//	}
//
// A child is the same executable started anew, not a fork of this process's
// memory: it has what its argument brings, and nothing else of its parent's
// variables. Its package variables and init functions, and what main does
// before Main, run in it as in any process.
//
// # What an argument can be
//
// It travels by CBOR: numbers, strings (any bytes), slices, arrays, maps,
// pointers, structs, time.Time, any, and whatever implements both sides of
// cbor.Marshaler, encoding.BinaryMarshaler or encoding.TextMarshaler. Regions
// and handles on their objects are among the last; their regions go along as
// descriptors, anonymous ones too. Two pointers to one thing arrive as
// pointers to two, a nil pointer as nil, and what was in an any as CBOR's own
// types; package ring's comment says what else changes on the way. A func,
// chan or complex number, an interface with methods, an unexported field, two
// fields of one name, a struct that encodes by the marshaler of what is
// embedded in it, and a type that has a marshaler and no unmarshaler are
// refused before anything is started, and so is a map of which two keys would
// arrive as one; a field tagged `cbor:"-"` (or, without a cbor tag,
// `json:"-"`) stays behind.
//
// An argument that refers to itself has no end; one that is nested more than
// 65,535 levels deep would not arrive; and one whose parts are pointed to so
// often that writing them out each time takes 256 MiB more would take for ever.
// Each is fs.ErrInvalid, found without trying.
//
// # What a child inherits
//
// The arguments in os.Args, the environment and the directory, as Options
// have it; descriptors 0, 1, 2 and those of the handed regions, and no others,
// however many this process has. The argument is on no command line and in no
// environment.
//
// # What is ordered
//
// In the terminology of the [Go memory model], a call of [Func.Start] synchronizes
// before the call of the function in the child, and the function's return before
// the return of a [Process.Wait] that tells of its end: what either did in a
// region by then is done for the other.
//
// # How a child ends
//
//	its function returns nil        exit code 0
//	it returns an error             "name: error" on stderr, exit code 1
//	it panics                       the trace on stderr, exit code 2
//	it calls runtime.Goexit         "name: proc: …" on stderr, exit code 2
//	it calls os.Exit(n)             exit code n
//	a signal kills it               −n, as in Python
//
// What decodes its argument may end it like that, too. Goroutines it leaves
// behind end with it. When the function has returned, the handed regions are
// closed in an orderly way; after a panic, os.Exit or a signal the process has
// died in them.
//
// SIGTERM (Process.Terminate, the end of Start's context) ends the context
// of the function, for it to return; the second SIGTERM kills, as does one
// that comes before the function was called. A function that then returns the
// context's error, wrapped or not, has obeyed: nothing is printed, and the
// process ends by SIGTERM's default action, exit code −15. One that returns
// nil had finished: 0. Any other error is an error: 1.
//
// SIGINT from a terminal goes to every process of the foreground group. In a
// child it is dropped: the parent gets it too, and decides what becomes of its
// children. Process.Signal(os.Interrupt) is such a decision and works as
// SIGTERM does, with exit code −2. A function that wants SIGINT for itself
// uses os/signal as ever.
//
// A child is killed when its parent has ended, however that ended (an exec
// counts), and so are its own children; not so with KeepOnExit. A main that has to see its
// children finish calls WaitAll before it returns.
//
// There are no helper processes: nothing but the children themselves can be
// killed. A child that dies before it has read its argument keeps nobody
// waiting.
//
// Linux only: elsewhere Start returns errors.ErrUnsupported.
//
// [Go memory model]: https://go.dev/ref/mem
package proc
