package atomics_test

import (
	"context"
	"fmt"

	"example.com/tandem/atomics"
	"example.com/tandem/shm"
)

func Example() {
	region, err := shm.Anonymous(nil)
	if err != nil {
		panic(err)
	}
	defer region.Close()

	hits, err := atomics.OpenValue(region, "hits", int64(0))
	if err != nil {
		panic(err)
	}
	fmt.Println(atomics.Add(hits, 2))

	type span struct{ From, To int32 } // 8 bytes: a word
	spans, err := atomics.OpenArray[span](region, "spans", 3)
	if err != nil {
		panic(err)
	}
	spans.Update(1, func(s span) span { return span{s.From - 1, s.To + 1} })
	for i, s := range spans.All() {
		fmt.Println(i, s)
	}

	if err := spans.Lock(context.Background()); err != nil {
		panic(err) // not held
	}
	spans.Store(2, spans.Load(1))
	if err := spans.Unlock(); err != nil {
		panic(err)
	}

	type quote struct { // of any size: never half of one, half of another
		Symbol   [5]byte
		Bid, Ask float64
	}
	last, err := atomics.OpenValue(region, "last", quote{Symbol: [5]byte{'G', 'O'}})
	if err != nil {
		panic(err)
	}
	last.Update(func(q quote) quote { q.Bid, q.Ask = 1.5, 1.75; return q })
	now := last.Load()
	fmt.Printf("%.2s %v\n", now.Symbol[:], now.Ask)

	_, err = atomics.OpenValue(region, "bad", struct{ URL string }{})
	fmt.Println(err != nil)
	// Output:
	// 2
	// 0 {0 0}
	// 1 {-1 1}
	// 2 {0 0}
	// GO 1.75
	// true
}
