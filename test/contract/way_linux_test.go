package contract_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
)

// start starts an actor in each way.
var start = map[string]func(w *world, name string) (port, error){
	"goroutines": startGoroutine,
	"children":   startChild,
	"unrelated":  startUnrelated,
}

// A goroutine's region is a handle of its own.
func startGoroutine(w *world, _ string) (port, error) {
	r, err := shm.Open(w.region.Name(), nil)
	if err != nil {
		return port{}, err
	}
	in, out, closed := make(chan string, 1024), make(chan string, 1024), make(chan error, 1)
	go func() {
		serve(context.Background(), r, w.way,
			func() (string, bool) { line, ok := <-in; return line, ok },
			func(line string) { out <- line })
		close(out)
		closed <- r.Close()
	}()
	return port{
		pid:    os.Getpid(),
		say:    func(line string) { in <- line },
		hear:   func() (string, bool) { line, ok := <-out; return line, ok },
		signal: func(s syscall.Signal) { syscall.Kill(os.Getpid(), s) },
		hangUp: func() { close(in) },
		ended:  func() error { return <-closed },
	}, nil
}

// A child has the region from its argument, and closes it at its end as every
// child does.
var child = proc.Register("actor", func(ctx context.Context, r *shm.Region) error {
	in := bufio.NewReader(os.Stdin)
	serve(ctx, r, "children", func() (string, bool) {
		line, err := in.ReadString('\n')
		return line, err == nil
	}, func(line string) { fmt.Println(line) })
	return nil
})

func startChild(w *world, name string) (port, error) {
	stdin, in, err := os.Pipe()
	if err != nil {
		return port{}, err
	}
	defer stdin.Close()
	out, stdout, err := os.Pipe()
	if err != nil {
		return port{}, errors.Join(err, in.Close())
	}
	defer stdout.Close()
	p, err := child.Start(context.Background(), w.region, &proc.Options{Name: name, Stdin: stdin, Stdout: stdout})
	if err != nil {
		return port{}, errors.Join(err, in.Close(), out.Close())
	}
	lines := bufio.NewReader(out)
	return port{
		pid: p.PID(),
		say: func(line string) { fmt.Fprintln(in, line) },
		hear: func() (string, bool) {
			line, err := lines.ReadString('\n')
			return line, err == nil
		},
		signal: func(s syscall.Signal) { p.Signal(s) },
		hangUp: func() { in.Close() },
		ended: func() error {
			defer out.Close()
			return p.Wait(context.Background())
		},
	}, nil
}

// An unrelated process opens the region by its name.
var unrelated = testproc.Role("actor", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	serve(context.Background(), r, "unrelated", testproc.Hear, func(line string) { testproc.Say(line) })
	testproc.Must(r.Close())
})

func startUnrelated(w *world, _ string) (port, error) {
	c := unrelated.Start(w.t, w.region.Name())
	return port{
		pid:    c.PID(),
		say:    func(line string) { c.Say(line) },
		hear:   func() (string, bool) { line, ok := <-c.Lines(); return line, ok },
		signal: func(s syscall.Signal) { c.Signal(s) },
		hangUp: func() { c.HangUp() },
		ended:  c.Wait,
	}, nil
}
