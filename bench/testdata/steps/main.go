// Steps times a Queue of words, alone and between two processes, each pinned to a
// processor, in nanoseconds a message, by what any build of Tandem has. bench/steps
// builds it with several.
package main

import (
	"context"
	"fmt"
	"log"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

type Args struct {
	Out, Back *ring.Queue[uint64]
	N         int
	How       string
}

var ctx = context.Background()

// hows are what is timed: n messages, put by the first process as put says, and taken
// by the second as take says, which puts one when it has all. Without take it is alone.
var hows = []struct {
	name string
	n    int
	put  func(a Args)
	take func(a Args)
}{
	{"alone", 3_000_000, func(a Args) {
		for i := range a.N {
			check(a.Out.Put(ctx, uint64(i)))
			must(a.Out.Get(ctx))
		}
	}, nil},
	{"stream", 10_000_000, func(a Args) {
		for i := range a.N {
			check(a.Out.Put(ctx, uint64(i)))
		}
	}, func(a Args) {
		for range a.N {
			must(a.Out.Get(ctx))
		}
	}},
	{"batches", 10_000_000, func(a Args) {
		vs := make([]uint64, 32)
		for n := 0; n < a.N; {
			n += must(a.Out.PutBatch(ctx, vs[:min(len(vs), a.N-n)]))
		}
	}, func(a Args) {
		vs := make([]uint64, 32)
		for n := 0; n < a.N; {
			n += must(a.Out.GetBatch(ctx, vs))
		}
	}},
	{"trip", 200_000, func(a Args) {
		for i := range a.N {
			check(a.Out.Put(ctx, uint64(i)))
			must(a.Back.Get(ctx))
		}
	}, func(a Args) {
		for range a.N {
			check(a.Back.Put(ctx, must(a.Out.Get(ctx))))
		}
	}},
}

var other = proc.Register("other", func(_ context.Context, a Args) error {
	pin(1)
	check(a.Back.Put(ctx, 0))
	for _, h := range hows {
		if h.name == a.How {
			h.take(a)
		}
	}
	return a.Back.Put(ctx, 0)
})

func main() {
	proc.Main()
	pin(0)
	for _, h := range hows {
		region := must(shm.Anonymous(nil))
		queue := func(name string) *ring.Queue[uint64] {
			return must(ring.OpenQueue[uint64](region, name, &ring.QueueOptions{Capacity: 4096}))
		}
		a := Args{queue("out"), queue("back"), h.n, h.name}
		if h.take != nil {
			must(other.Start(ctx, a, nil))
			must(a.Back.Get(ctx))
		}
		t := time.Now()
		h.put(a)
		if h.take != nil {
			must(a.Back.Get(ctx))
		}
		fmt.Printf("%s %.1f\n", h.name, float64(time.Since(t).Nanoseconds())/float64(h.n))
		check(proc.WaitAll(ctx))
		check(region.Close())
	}
}

func pin(processor int) {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(processor)
	check(unix.SchedSetaffinity(0, &set))
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
