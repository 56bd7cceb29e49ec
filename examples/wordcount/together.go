package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A Job is a file to count; ID is its place in the list.
type Job struct {
	ID   int
	Path string
}

// A Result is what a worker found in a file.
type Result struct {
	ID    int
	Bytes int64
	Words map[string]int
}

// Args are a worker's: handles on shared objects travel like any value.
type Args struct {
	Jobs        *ring.Queue[Job]
	Results     *ring.Queue[Result]
	Redelivered *atomics.Value[int64] // jobs that a dead worker had before
}

// A worker puts the result first and acknowledges the job then. If it dies in
// between, another worker counts the file again and the result comes twice;
// before, and the file was not counted: either way each ID comes at least once.
var worker = proc.Register("worker", func(ctx context.Context, a Args) error {
	for job, err := range a.Jobs.Leases(ctx) {
		if err != nil {
			return err
		}
		if job.Attempt() > 1 {
			atomics.Add(a.Redelivered, 1)
		}
		words, size, err := count(job.Value().Path)
		if err != nil {
			return err
		}
		if err := a.Results.Put(ctx, Result{job.Value().ID, size, words}); err != nil {
			return err
		}
		if err := job.Ack(); err != nil {
			return err
		}
	}
	return nil // every job is done
})

// countTogether shares the files among workers, kills some of them, and takes
// each file's result once.
func countTogether(ctx context.Context, c config, files []string, progress io.Writer) (t tally, err error) {
	region, err := shm.Anonymous(nil)
	if err != nil {
		return t, err
	}
	defer region.Close()
	jobs, err := ring.OpenQueue[Job](region, "jobs", nil)
	if err != nil {
		return t, err
	}
	results, err := ring.OpenQueue[Result](region, "results", &ring.QueueOptions{MaxMessage: 8 << 20, Buffer: 64 << 20})
	if err != nil {
		return t, err
	}
	redelivered, err := atomics.OpenValue[int64](region, "redelivered", 0)
	if err != nil {
		return t, err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	crew := &crew{ctx: ctx, failed: cancel, args: Args{jobs, results, redelivered}}
	defer crew.dismiss()
	for range c.workers {
		if err := crew.hire(); err != nil {
			return t, err
		}
	}
	go func() {
		for id, path := range files {
			if err := jobs.Put(ctx, Job{id, path}); err != nil {
				cancel(err)
				return
			}
		}
		if err := jobs.Shutdown(); err != nil {
			cancel(err)
		}
	}()

	var (
		have   = make([]bool, len(files))
		killed = 0
		start  = time.Now()
		shown  = start
		show   = func() {
			fmt.Fprintf(progress, "\r%d/%d files, %.0f MB/s, %d workers alive, %d killed, %d redeliveries ",
				t.files, len(files), t.mb()/time.Since(start).Seconds(), crew.alive(), killed, redelivered.Load())
		}
	)
	for t.files < len(files) {
		r, err := results.Get(ctx)
		if err != nil {
			return t, because(ctx, err)
		}
		if r.ID < 0 || r.ID >= len(files) {
			return t, fmt.Errorf("result of file %d, want below %d", r.ID, len(files))
		}
		if have[r.ID] {
			continue
		}
		have[r.ID] = true
		t.add(r.Words, r.Bytes)
		for killed < c.kills && t.files > len(files)*killed/(c.kills+1) {
			if err := crew.replaceOne(); err != nil {
				return t, err
			}
			killed++
		}
		if time.Since(shown) > 200*time.Millisecond {
			shown = time.Now()
			show()
		}
	}
	show()
	fmt.Fprintln(progress)
	return t, jobs.Join(ctx)
}

// because prefers why ctx was ended to the error that this led to.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// A crew is the workers that should be at work.
type crew struct {
	ctx    context.Context
	failed context.CancelCauseFunc
	args   Args
	at     []*proc.Process
}

func (c *crew) hire() error {
	p, err := worker.Start(c.ctx, c.args, nil)
	if err != nil {
		return err
	}
	c.at = append(c.at, p)
	go func() {
		err := p.Wait(context.Background())
		var exit *proc.ExitError
		if err != nil && !(errors.As(err, &exit) && exit.Signal == syscall.SIGKILL) {
			c.failed(fmt.Errorf("a worker failed: %w", err))
		}
	}()
	return nil
}

// replaceOne kills a worker in the middle of its work and hires another.
func (c *crew) replaceOne() error {
	i := rand.IntN(len(c.at))
	p := c.at[i]
	c.at = slices.Delete(c.at, i, i+1)
	if err := p.Kill(); err != nil {
		return err
	}
	return c.hire()
}

func (c *crew) alive() (n int) {
	for _, p := range c.at {
		if p.Alive() {
			n++
		}
	}
	return n
}

// dismiss ends those who still work, and waits for all.
func (c *crew) dismiss() {
	c.failed(nil)
	proc.WaitAll(context.Background())
}
