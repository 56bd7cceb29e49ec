package ring_test

import (
	"context"
	"fmt"
	"testing"

	"example.com/tandem/ring"
)

// A Put and a Get of 16 bytes in one goroutine, beside a channel.
func BenchmarkPutGet(b *testing.B) {
	ctx := context.Background()
	b.Run("queue", func(b *testing.B) {
		q := open[pair](b, region(b), "q", nil)
		b.ReportAllocs()
		for b.Loop() {
			if err := q.Put(ctx, pair{1, 2}); err != nil {
				b.Fatal(err)
			}
			if v, err := q.Get(ctx); err != nil || v.A != 1 {
				b.Fatal(err)
			}
		}
	})
	b.Run("channel", func(b *testing.B) {
		c := make(chan pair, 1024)
		b.ReportAllocs()
		for b.Loop() {
			select {
			case c <- pair{1, 2}:
			case <-ctx.Done():
			}
			select {
			case v := <-c:
				if v.A != 1 {
					b.Fatal(v)
				}
			case <-ctx.Done():
			}
		}
	})
	b.Run("lease", func(b *testing.B) {
		q := open[pair](b, region(b), "q", nil)
		b.ReportAllocs()
		for b.Loop() {
			if err := q.Put(ctx, pair{1, 2}); err != nil {
				b.Fatal(err)
			}
			if d, err := q.Lease(ctx); err != nil || d.Ack() != nil {
				b.Fatal(err)
			}
		}
	})
}

// One producer and one consumer, each a goroutine.
func BenchmarkStream(b *testing.B) {
	ctx := context.Background()
	b.Run("queue", func(b *testing.B) {
		q := open[pair](b, region(b), "q", nil)
		go func() {
			for range b.N {
				q.Put(ctx, pair{})
			}
		}()
		for range b.N {
			if _, err := q.Get(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("batch", func(b *testing.B) {
		q := open[pair](b, region(b), "q", nil)
		go func() {
			vs := make([]pair, 64)
			for n := b.N; n > 0; {
				k, _ := q.PutBatch(ctx, vs[:min(n, len(vs))])
				n -= k
			}
		}()
		vs := make([]pair, 64)
		for n := b.N; n > 0; {
			k, err := q.GetBatch(ctx, vs[:min(n, len(vs))])
			if err != nil {
				b.Fatal(err)
			}
			n -= k
		}
	})
	b.Run("channel", func(b *testing.B) {
		c := make(chan pair, 1024)
		go func() {
			for range b.N {
				c <- pair{}
			}
		}()
		for range b.N {
			<-c
		}
	})
}

// Messages of bytes, through blocks where they are long.
func BenchmarkBytes(b *testing.B) {
	ctx := context.Background()
	for _, size := range []int{64, 1 << 10, 16 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			q := open[[]byte](b, region(b), "q", &ring.QueueOptions{})
			msg := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := q.Put(ctx, msg); err != nil {
					b.Fatal(err)
				}
				if _, err := q.Get(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
