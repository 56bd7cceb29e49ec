package bench_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// Long messages: []byte, beside a ring of as many bytes into and out of which
// memcpy copies.

// sizes are those of the memcpy ring, too.
var sizes = []struct {
	name  string
	bytes int
}{{"4K", 4 << 10}, {"64K", 64 << 10}, {"1M", 1 << 20}}

// A way is how a []byte is put and got. It makes what one side does with the
// i-th message of a queue: to put it, or to get it and to say which it is.
type way struct {
	name  string
	least float64 // times as fast as the memcpy ring at 64 KiB, if that is promised
	put   func(q *ring.Queue[[]byte], size int) func(i int)
	get   func(q *ring.Queue[[]byte], size int) func() int
}

var ways = []way{
	{"Put-Get", 0, putBytes, getBytes},
	{"Put-GetInto", 0.5, putBytes, getBytesInto},
	{"Loan-View", 1, loanBytes, viewBytes},
}

func largeBars() (all []bar) {
	for _, w := range ways {
		if w.least > 0 {
			all = append(all, bar{contest: large(w.name, "64K", 64<<10), against: "memcpy-ring-64K", least: w.least})
		}
	}
	return all
}

func putBytes(q *ring.Queue[[]byte], size int) func(i int) {
	m := make([]byte, size)
	return func(i int) {
		binary.LittleEndian.PutUint64(m, uint64(i))
		testproc.Must(q.Put(background, m))
	}
}

func getBytes(q *ring.Queue[[]byte], size int) func() int {
	return func() int {
		m := open(q.Get(background))
		if len(m) != size {
			return -1
		}
		return int(binary.LittleEndian.Uint64(m))
	}
}

func getBytesInto(q *ring.Queue[[]byte], size int) func() int {
	var m []byte
	return func() int {
		testproc.Must(q.GetInto(background, &m))
		if len(m) != size {
			return -1
		}
		return int(binary.LittleEndian.Uint64(m))
	}
}

// loanBytes writes all of a message where it is to lie, and viewBytes reads all of it
// there: what the ring's users do before memcpy and after ("used").
func loanBytes(q *ring.Queue[[]byte], size int) func(i int) {
	m := make([]byte, size)
	return func(i int) {
		binary.LittleEndian.PutUint64(m, uint64(i))
		l := open(q.Loan(background, size))
		testproc.Must(l.Put(background, copy(l.Bytes(), m)))
	}
}

func viewBytes(q *ring.Queue[[]byte], size int) func() int {
	return func() int {
		d := open(q.Lease(background))
		m, i := d.View(), -1
		if len(m) == size && bytes.IndexByte(m[8:], 1) < 0 {
			i = int(binary.LittleEndian.Uint64(m))
		}
		testproc.Must(d.Ack())
		return i
	}
}

// A message that is read in place is as long as it likes.
var longView = contest{what: "`Delivery.View`, of a message of 1 MiB", kind: "free", of: []contestant{
	{here, "View-of-1-MiB"}, {here, "View-in-its-slot"},
}}

func BenchmarkView(b *testing.B) { longView.run(b) }

func large(way, size string, bytes int) contest {
	of := []contestant{{two, "Queue-" + way + "-" + size}, {twoFree, "Queue-" + way + "-" + size}, {inC, "memcpy-ring-" + size}}
	if way == "Loan-View" {
		of = append(of, contestant{inC, "memcpy-ring-used-" + size})
	}
	return contest{what: "`Queue[[]byte]`, " + way + " of " + size + "iB", kind: "large", bytes: bytes, of: of}
}

func BenchmarkLarge(b *testing.B) {
	for _, way := range ways {
		for _, size := range sizes {
			b.Run(way.name+"/"+size.name, func(b *testing.B) { large(way.name, size.name, size.bytes).run(b) })
		}
	}
}

func init() {
	for name, size := range map[string]int{"View-of-1-MiB": 1 << 20, "View-in-its-slot": 64} {
		jobs["free/"+name] = func(e *env) func(n int) int {
			q := open(ring.OpenQueue[[]byte](e.Region, e.name(name), &ring.QueueOptions{Buffer: 2 << 20, MaxMessage: 1 << 20}))
			testproc.Must(q.Put(background, make([]byte, size)))
			d := open(q.Lease(background))
			return func(n int) (done int) {
				for range n {
					if len(d.View()) == size {
						done++
					}
				}
				return done
			}
		}
	}
	for _, way := range ways {
		for _, size := range sizes {
			jobs["large/Queue-"+way.name+"-"+size.name] = func(e *env) func(n int) int {
				q := open(ring.OpenQueue[[]byte](e.Region, e.name(way.name+size.name), &ring.QueueOptions{
					Buffer: max(1<<20, 8*size.bytes), MaxMessage: size.bytes,
				}))
				if e.side == 0 {
					put := way.put(q, size.bytes)
					return func(n int) int {
						for i := range n {
							put(i)
						}
						return 0
					}
				}
				get := way.get(q, size.bytes)
				return func(n int) (done int) {
					for i := range n {
						if get() == i {
							done++
						}
					}
					return done
				}
			}
		}
	}
}
