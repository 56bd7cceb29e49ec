package proc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"example.com/tandem/proc"
)

type how struct {
	Do   string
	Code int
}

// ends comes to an end in every way there is. Those that are about signals
// say ready first.
var ends = proc.Register("ends", func(ctx context.Context, a how) error {
	switch a.Do {
	case "error":
		return errors.New("boom")
	case "panic":
		panic("kaboom")
	case "exit":
		os.Exit(a.Code)
	case "goexit":
		runtime.Goexit()
	case "listen": // obeys SIGTERM
		fmt.Println("ready")
		<-ctx.Done()
		return fmt.Errorf("listening: %w", ctx.Err())
	case "cause":
		fmt.Println("ready")
		<-ctx.Done()
		return context.Cause(ctx)
	case "finish": // has finished when SIGTERM comes
		fmt.Println("ready")
		<-ctx.Done()
	case "fail": // finds a failure when SIGTERM comes
		fmt.Println("ready")
		<-ctx.Done()
		return errors.Join(ctx.Err(), errors.New("half a file"))
	case "stuck": // does not look at its context
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("told")
		time.Sleep(time.Hour)
	case "stdin": // until the end of its input
		fmt.Println("ready")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
	return nil
})

// echo answers each line of its input until the input ends.
var echo = proc.Register("echo", func(ctx context.Context, _ struct{}) error {
	fmt.Printf("pid %d\n", os.Getpid())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Printf("echo %s\n", in.Text())
	}
	return nil
})

// tree starts children of its own, which start children of theirs, and adds
// up their output in the order of their starts.
var tree proc.Func[int]

func init() {
	tree = proc.Register("tree", func(ctx context.Context, depth int) error {
		fmt.Printf("(%d", depth)
		for range 2 {
			if depth == 0 {
				break
			}
			p, err := tree.Start(ctx, depth-1, nil)
			if err != nil {
				return err
			}
			if err := p.Wait(ctx); err != nil {
				return err
			}
		}
		fmt.Print(")")
		return nil
	})
}
