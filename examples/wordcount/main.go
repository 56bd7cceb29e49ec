// Wordcount counts the words of all text files under some folders, with worker
// processes that take file names from a shared queue. It can kill its own
// workers while they work: the result is the same.
//
//	go run ./examples/wordcount -workers 4 -kill 20 "$(go env GOROOT)/src"
//
// With -workers 0 it counts in one process, without shared memory. After a run
// with workers it does that too, compares, and says so.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"example.com/tandem/proc"
)

func main() {
	proc.Main() // in a worker process this counts, and does not return
	var c config
	flag.IntVar(&c.workers, "workers", runtime.NumCPU(), "worker processes; 0 counts in this process, without shared memory")
	flag.IntVar(&c.kills, "kill", 0, "workers to kill -9 during the run; each is replaced")
	flag.IntVar(&c.top, "top", 20, "commonest words to print")
	flag.BoolVar(&c.check, "check", true, "compare with a count in one process")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: wordcount [flags] folder...\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	c.roots = flag.Args()
	if len(c.roots) == 0 || c.workers < 0 || c.kills < 0 || c.workers == 0 && c.kills > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, c, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "wordcount:", err)
		os.Exit(1)
	}
}

type config struct {
	roots   []string
	workers int
	kills   int
	top     int
	check   bool
}

func run(ctx context.Context, c config, out, progress io.Writer) error {
	files, err := textFiles(c.roots)
	if err != nil {
		return err
	}
	start := time.Now()
	var total tally
	if c.workers == 0 {
		total, err = countAlone(ctx, files)
	} else {
		total, err = countTogether(ctx, c, files, progress)
	}
	if err != nil {
		return err
	}
	took := time.Since(start)
	total.print(out, c.top)
	fmt.Fprintf(out, "%d files, %.1f MB in %.2f s: %.0f MB/s\n", total.files, total.mb(), took.Seconds(), total.mb()/took.Seconds())
	if c.workers == 0 || !c.check {
		return nil
	}
	alone, err := countAlone(ctx, files)
	if err != nil {
		return err
	}
	if diff := total.differs(alone); diff != "" {
		return fmt.Errorf("the count differs from that of one process: %s", diff)
	}
	fmt.Fprintln(out, "checked: one process, without shared memory, counts the same")
	return nil
}
