// Conditionlock has a producer and two consumers use a list that has room for
// three. A Mutex of its own guards it, and two conditions share that: one for
// those that wait for items, one for those that wait for room.
package main

import (
	"context"
	"fmt"
	"log"

	"example.com/tandem/atomics"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

type List struct { // what was put and not taken: Last-First of Items
	Items       *atomics.Array[int64]
	First, Last *atomics.Value[int64]
	Lock        *sync.Mutex
	More, Room  *sync.Cond
}

func (l List) some() bool { return l.Last.Load() > l.First.Load() }
func (l List) room() bool { return l.Last.Load()-l.First.Load() < 3 }

var producer = proc.Register("producer", func(ctx context.Context, l List) error {
	var err error
	for x := int64(0); x < 10 && err == nil; x++ {
		err = sync.With(ctx, l.Lock, func() error {
			if err := l.Room.WaitFor(ctx, l.room); err != nil {
				return err
			}
			fmt.Println("producer: puts", x)
			l.Items.Store(int(l.Last.Load()%3), x)
			atomics.Add(l.Last, 1)
			return l.More.Notify(1)
		})
	}
	return err
})

var consumer = proc.Register("consumer", func(ctx context.Context, l List) error {
	var err error
	for n := 0; n < 5 && err == nil; n++ {
		err = sync.With(ctx, l.Lock, func() error {
			if err := l.More.WaitFor(ctx, l.some); err != nil {
				return err
			}
			fmt.Println("consumer: takes", l.Items.Load(int(l.First.Load()%3)))
			atomics.Add(l.First, 1)
			return l.Room.Notify(1)
		})
	}
	return err
})

func main() {
	proc.Main() // in a child this runs its function and exits
	ctx := context.Background()
	region := must(shm.Anonymous(nil))
	lock := must(sync.OpenMutex(region, "lock"))
	list := List{
		Items: must(atomics.OpenArray[int64](region, "items", 3)),
		First: must(atomics.OpenValue(region, "first", int64(0))),
		Last:  must(atomics.OpenValue(region, "last", int64(0))),
		Lock:  lock,
		More:  must(sync.OpenCond(region, "more", lock)),
		Room:  must(sync.OpenCond(region, "room", lock)),
	}
	for _, f := range []proc.Func[List]{consumer, consumer, producer} {
		must(f.Start(ctx, list, nil))
	}
	check(proc.WaitAll(ctx))
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
