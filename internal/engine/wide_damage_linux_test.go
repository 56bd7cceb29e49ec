package engine

import (
	"math/rand/v2"
	"unsafe"

	"example.com/tandem/internal/mem"
)

func wideDamaged(width uint64) uint64 {
	size, _ := WideSize(3, width, 4)
	return size
}

func useWide(r *rand.Rand, a mem.Area, width uint64, env Env, wreck func()) {
	c, err := AttachWide(a, KindArray, 3, width, env)
	if err != nil {
		return
	}
	b := make([]byte, width)
	for range 10 {
		i := r.Uint64N(3)
		s, _ := c.Load(i, unsafe.Pointer(&b[0]))
		wreck()
		c.Store(i, unsafe.Pointer(&b[0]))
		wreck()
		c.Replace(i, s, unsafe.Pointer(&b[0]))
	}
}
