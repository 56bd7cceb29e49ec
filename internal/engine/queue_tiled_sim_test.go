//go:build tandem_sim

package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// TiledQueue verifies TILING, which holds at any instant.
func TiledQueue(a mem.Area) error {
	point := mem.Point
	mem.Point = nil
	defer func() { mem.Point = point }()
	q, err := AttachQueue(a, Env{})
	if err != nil {
		return err
	}
	free := make([]bool, q.pool.n)
	for b := range q.pool.n {
		o, k := *q.pool.owner(b), q.pool.length(b, *q.pool.extent(b))
		if !isFree(o) {
			continue
		}
		if freed(k) != o {
			return fmt.Errorf("a free piece at %d of two lengths, %d and %#x", b, k, o)
		}
		for i := b; i < b+k; i++ {
			if free[i] {
				return fmt.Errorf("block %d is twice free", i)
			}
			free[i] = true
		}
	}
	for b := uint32(0); b < q.pool.n; {
		o, k := *q.pool.owner(b), q.pool.length(b, *q.pool.extent(b))
		if o == 0 || k == 0 {
			return fmt.Errorf("no piece at block %d: %#x, %d", b, o, k)
		}
		for i := b + 1; i < b+k; i++ {
			if p := *q.pool.owner(i); p != 0 && (isFree(o) || p != o) {
				return fmt.Errorf("block %d of the piece at %d, %#x, is %#x", i, b, o, p)
			}
		}
		b += k
	}
	return nil
}
