// Value is the program of Python's multiprocessing documentation that shares
// state between processes: a child sets a number and negates an array.
package main

import (
	"context"
	"fmt"
	"log"

	"example.com/tandem/atomics"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
)

type Args struct {
	N *atomics.Value[float64]
	A *atomics.Array[int32]
}

var f = proc.Register("f", func(ctx context.Context, a Args) error {
	a.N.Store(3.1415927)
	for i, x := range a.A.All() {
		a.A.Store(i, -x)
	}
	return nil
})

func main() {
	proc.Main() // in a child this runs f and exits
	ctx := context.Background()
	region := must(shm.Anonymous(nil))
	num := must(atomics.OpenValue(region, "num", 0.0))
	arr := must(atomics.OpenArray[int32](region, "arr", 10))
	for i := range arr.Len() {
		arr.Store(i, int32(i))
	}

	p := must(f.Start(ctx, Args{num, arr}, nil))
	check(p.Wait(ctx))

	fmt.Println(num.Load())
	numbers := make([]int32, arr.Len())
	arr.CopyTo(numbers)
	fmt.Println(numbers)
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
