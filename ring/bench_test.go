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

type (
	benchJob struct {
		ID  int64
		URL string
	}
	benchList struct {
		benchJob
		Tags []string
		Meta map[string]string
	}
	benchTree struct {
		Name        string
		Left, Right *benchTree
	}
)

func tree(depth int) *benchTree {
	if depth == 0 {
		return nil
	}
	return &benchTree{"a node", tree(depth - 1), tree(depth - 1)}
}

// Messages that are encoded: of a type whose values are encoded as they are,
// and of types whose values are looked at before.
func BenchmarkEncoded(b *testing.B) {
	job := benchJob{7, "https://example.com/a/b/c"}
	list := benchList{job, []string{"new", "urgent", "again"}, map[string]string{"from": "a", "to": "b"}}
	encodedPut(b, "struct", job)
	encodedPut(b, "list", list)
	encodedPut(b, "tree", *tree(4))
	encodedPut(b, "any", any(map[string]any{"id": 7, "tags": []any{"new", "urgent"}, "url": job.URL}))
}

func encodedPut[T any](b *testing.B, name string, v T) {
	b.Run(name, func(b *testing.B) {
		ctx := context.Background()
		q := open[T](b, region(b), "q", nil)
		b.ReportAllocs()
		for b.Loop() {
			if err := q.Put(ctx, v); err != nil {
				b.Fatal(err)
			}
			if _, err := q.Get(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
}
