// Workqueue is the README's first program: jobs for four worker processes.
// Kill any of them at any time: its job goes to another.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

type Job struct{ URL string }

type Args struct{ Jobs *ring.Queue[Job] } // a handle travels to a child like any value

var worker = proc.Register("worker", func(ctx context.Context, a Args) error {
	for job, err := range a.Jobs.Leases(ctx) {
		if err != nil {
			return err
		}
		fmt.Println(os.Getpid(), "fetches", job.Value().URL)
		job.Ack() // until here the job is leased: if this process dies, another gets it
	}
	return nil // the queue was shut down and every job is done
})

func main() {
	proc.Main() // in a child this runs worker and exits
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	check(err)
	defer region.Close()
	jobs, err := ring.OpenQueue[Job](region, "jobs", nil)
	check(err)
	for range 4 {
		_, err := worker.Start(ctx, Args{jobs}, nil)
		check(err)
	}
	for _, url := range os.Args[1:] {
		check(jobs.Put(ctx, Job{url}))
	}
	check(jobs.Shutdown())
	check(jobs.Join(ctx)) // returns when every job has been done
	check(proc.WaitAll(ctx))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
