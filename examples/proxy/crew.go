package main

import (
	"context"
	"log"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A crew is a worker for each name, and another when it is gone.
type crew struct {
	region *shm.Region
	names  []string
	at     []atomic.Pointer[proc.Process]
	all    sync.WaitGroup
	killed atomic.Int64
}

// hire hires them until ctx ends.
func hire(ctx context.Context, region *shm.Region, names ...string) *crew {
	c := &crew{region: region, names: names, at: make([]atomic.Pointer[proc.Process], len(names))}
	for i, name := range names {
		c.all.Go(func() {
			for ctx.Err() == nil {
				p, err := worker.Start(ctx, name, &proc.Options{Regions: []*shm.Region{region}})
				if err != nil {
					if ctx.Err() == nil {
						log.Fatal(err)
					}
					return
				}
				c.at[i].Store(p)
				<-p.Done()
			}
		})
	}
	return c
}

// killOne kills one at random of those that serve, in whatever it is doing.
func (c *crew) killOne() {
	for {
		i := rand.IntN(len(c.at))
		conn, err := ring.Dial(context.Background(), c.region, c.names[i])
		if err != nil {
			continue // it is dead, or about to begin
		}
		conn.Close()
		if c.at[i].Load().Kill() == nil {
			c.killed.Add(1)
			return
		}
	}
}

// wait waits until all are gone.
func (c *crew) wait() { c.all.Wait() }
