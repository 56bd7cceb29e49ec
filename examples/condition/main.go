// Condition has a producer and two consumers use a list in shared memory. It is
// guarded by the lock that a Cond has of its own, which is reentrant.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"example.com/tandem/atomics"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

type List struct { // Items[First:Last]
	Items       *atomics.Array[int64]
	First, Last *atomics.Value[int64]
	More        *sync.Cond
}

func (l List) some() bool { return l.First.Load() < l.Last.Load() }

// put is called on its own, or by a caller that has the lock already.
func (l List) put(ctx context.Context, h *sync.Holder, x int64) error {
	return sync.With(ctx, h, func() error {
		l.Items.Store(int(l.Last.Load()), x)
		atomics.Add(l.Last, 1)
		return l.More.Notify(1)
	})
}

var producer = proc.Register("producer", func(ctx context.Context, l List) error {
	var err error
	h := l.More.Holder() // this call chain's claim on the lock
	for x := int64(0); x < 10 && err == nil; x += 2 {
		err = sync.With(ctx, h, func() error { // the two come together
			fmt.Println("producer: puts", x, "and", x+1)
			return errors.Join(l.put(ctx, h, x), l.put(ctx, h, x+1))
		})
	}
	return err
})

var consumer = proc.Register("consumer", func(ctx context.Context, l List) error {
	var err error
	for n := 0; n < 5 && err == nil; n++ {
		err = sync.With(ctx, l.More.Holder(), func() error {
			if err := l.More.WaitFor(ctx, l.some); err != nil {
				return err
			}
			fmt.Println("consumer: takes", l.Items.Load(int(l.First.Load())))
			atomics.Add(l.First, 1)
			return nil
		})
	}
	return err
})

func main() {
	proc.Main() // in a child this runs its function and exits
	ctx := context.Background()
	region := must(shm.Anonymous(nil))
	list := List{
		Items: must(atomics.OpenArray[int64](region, "items", 10)),
		First: must(atomics.OpenValue(region, "first", int64(0))),
		Last:  must(atomics.OpenValue(region, "last", int64(0))),
		More:  must(sync.OpenCond(region, "more", nil)),
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
