package actor

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

// starts starts an actor in each way, and says its process's pid.
var starts = map[string]func(w *World, name string) (pid int, p port, err error){
	Goroutines: startGoroutine,
	Children:   startChild,
	Unrelated:  startUnrelated,
	finding:    startUnrelated,
}

// A goroutine's region is a handle of its own.
func startGoroutine(w *World, _ string) (int, port, error) {
	r, err := shm.Open(w.Region.Name(), nil)
	if err != nil {
		return 0, port{}, err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return 0, port{}, errors.Join(err, r.Close())
	}
	in, out, closed := make(chan string, 1024), make(chan string, 1024), make(chan error, 1)
	go func() {
		serve(context.Background(), r, w.Way,
			func() (string, bool) { line, ok := <-in; return line, ok },
			func(line string) { out <- line })
		close(out)
		closed <- r.Close()
	}()
	return os.Getpid(), port{
		say:    func(line string) { in <- line },
		hear:   func() (string, bool) { line, ok := <-out; return line, ok },
		signal: func(s syscall.Signal) { self.Signal(s) },
		hangUp: func() { close(in) },
		ended:  func() error { return <-closed },
	}, nil
}

// A child has the region from its argument, and closes it at its end as every
// child does.
var child = proc.Register("actor", func(ctx context.Context, r *shm.Region) error {
	in := bufio.NewReader(os.Stdin)
	serve(ctx, r, Children, func() (string, bool) {
		line, err := in.ReadString('\n')
		return line, err == nil
	}, func(line string) { fmt.Println(line) })
	return nil
})

func startChild(w *World, name string) (int, port, error) {
	stdin, in, err := os.Pipe()
	if err != nil {
		return 0, port{}, err
	}
	defer stdin.Close()
	out, stdout, err := os.Pipe()
	if err != nil {
		return 0, port{}, errors.Join(err, in.Close())
	}
	defer stdout.Close()
	p, err := child.Start(context.Background(), w.Region, &proc.Options{Name: name, Stdin: stdin, Stdout: stdout})
	if err != nil {
		return 0, port{}, errors.Join(err, in.Close(), out.Close())
	}
	lines := bufio.NewReader(out)
	return p.PID(), port{
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
	name, way := args[0], args[1]
	r, err := shm.Open(name, nil)
	testproc.Must(err)
	uses := r
	if way == finding {
		uses = r.Existing()
	}
	serve(context.Background(), uses, way, testproc.Hear, func(line string) { testproc.Say(line) })
	testproc.Must(r.Close())
})

func startUnrelated(w *World, _ string) (int, port, error) {
	c := unrelated.Start(w.T, w.Region.Name(), w.Way)
	return c.PID(), port{
		say:    func(line string) { c.Say(line) },
		hear:   func() (string, bool) { line, ok := <-c.Lines(); return line, ok },
		signal: func(s syscall.Signal) { c.Signal(s) },
		hangUp: func() { c.HangUp() },
		ended:  c.Wait,
	}, nil
}
