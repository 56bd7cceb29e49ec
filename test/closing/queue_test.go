package closing

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// A message that lies in its slot, one that is copied there as bytes, and one
// that lies in blocks.
type record struct{ N [12]int64 }

var long = strings.Repeat(" and so on", 100)

// An end is what the deeds need of a queue, whatever its T.
type end struct {
	put         func(context.Context, int64) error
	get, tryGet func(context.Context) (int64, error)
	getInto     func(context.Context) (int64, error)
	lease       func(context.Context) (int64, func() error, error)
	putAll      func(context.Context, []int64) (int, error)
	getAll      func(context.Context, int) ([]int64, error)
}

var ends = map[string]func(r *shm.Region) (*end, error){
	"words": func(r *shm.Region) (*end, error) {
		return endOf(r, "words", func(n int64) int64 { return n }, func(n int64) int64 { return n })
	},
	"records": func(r *shm.Region) (*end, error) {
		return endOf(r, "records", func(n int64) (v record) { v.N[0], v.N[11] = n, n; return v }, func(v record) int64 {
			if v.N[0] != v.N[11] {
				return -1
			}
			return v.N[0]
		})
	},
	"texts": func(r *shm.Region) (*end, error) {
		return endOf(r, "texts", func(n int64) string { return strconv.FormatInt(n, 10) + long }, func(v string) int64 {
			n, err := strconv.ParseInt(strings.TrimSuffix(v, long), 10, 64)
			if err != nil {
				return -1
			}
			return n
		})
	},
	"lent": lent,
	"short": func(r *shm.Region) (*end, error) {
		return endOf(r, "short", func(n int64) []byte { return strconv.AppendInt(nil, n, 10) }, func(v []byte) int64 {
			n, err := strconv.ParseInt(string(v), 10, 64)
			if err != nil {
				return -1
			}
			return n
		})
	},
}

// lent fills and reads in place.
func lent(r *shm.Region) (*end, error) {
	q, err := ring.OpenQueue[[]byte](r, "lent", &ring.QueueOptions{Capacity: 400, Buffer: 2 << 20})
	if err != nil {
		return nil, err
	}
	from := func(v []byte) int64 {
		n, err := strconv.ParseInt(strings.TrimSuffix(string(v), long), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	return &end{
		put: func(ctx context.Context, n int64) error {
			l, err := q.Loan(ctx, 2000)
			if err != nil {
				return err
			}
			err = l.Put(ctx, copy(l.Bytes(), strconv.FormatInt(n, 10)+long))
			if err != nil {
				l.Drop()
			}
			return err
		},
		get: func(ctx context.Context) (int64, error) {
			var v []byte
			err := q.GetInto(ctx, &v)
			return from(v), err
		},
		tryGet: func(context.Context) (int64, error) {
			v, err := q.TryGet()
			return from(v), err
		},
		lease: func(ctx context.Context) (int64, func() error, error) {
			d, err := q.Lease(ctx)
			if err != nil {
				return 0, nil, err
			}
			return from(d.View()), d.Ack, nil
		},
	}, nil
}

func endOf[T any](r *shm.Region, name string, to func(int64) T, from func(T) int64) (*end, error) {
	q, err := ring.OpenQueue[T](r, name, &ring.QueueOptions{Capacity: 400, Buffer: 2 << 20})
	if err != nil {
		return nil, err
	}
	of := func(v T, err error) (int64, error) {
		if err != nil {
			return 0, err
		}
		return from(v), nil
	}
	return &end{
		put:    func(ctx context.Context, n int64) error { return q.Put(ctx, to(n)) },
		get:    func(ctx context.Context) (int64, error) { return of(q.Get(ctx)) },
		tryGet: func(context.Context) (int64, error) { return of(q.TryGet()) },
		getInto: func(ctx context.Context) (int64, error) {
			var v T
			err := q.GetInto(ctx, &v)
			return of(v, err)
		},
		lease: func(ctx context.Context) (int64, func() error, error) {
			d, err := q.Lease(ctx)
			if err != nil {
				return 0, nil, err
			}
			return from(d.Value()), d.Ack, nil
		},
		putAll: func(ctx context.Context, ns []int64) (int, error) {
			vs := make([]T, len(ns))
			for i, n := range ns {
				vs[i] = to(n)
			}
			return q.PutBatch(ctx, vs)
		},
		getAll: func(ctx context.Context, most int) (ns []int64, err error) {
			vs := make([]T, most)
			k, err := q.GetBatch(ctx, vs)
			for _, v := range vs[:k] {
				ns = append(ns, from(v))
			}
			return ns, err
		},
	}, nil
}

func init() {
	for name, open := range ends {
		withAll := func(verb string, do func(*end, context.Context) ([]int64, error)) {
			deeds[name+"."+verb] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
				e, err := open(r)
				return func(ctx context.Context) error {
					ns, err := do(e, ctx)
					mu.Lock()
					rep.Values = append(rep.Values, ns...)
					mu.Unlock()
					if errors.Is(err, ring.ErrEmpty) {
						err = nil
					}
					return err
				}, err
			}
		}
		with := func(verb string, do func(*end, context.Context, *int64) error) {
			withAll(verb, func(e *end, ctx context.Context) ([]int64, error) {
				var n int64
				if err := do(e, ctx, &n); err != nil {
					return nil, err
				}
				return []int64{n}, nil
			})
		}
		with("get", func(e *end, ctx context.Context, n *int64) (err error) { *n, err = e.get(ctx); return err })
		with("getinto", func(e *end, ctx context.Context, n *int64) (err error) { *n, err = e.getInto(ctx); return err })
		with("tryget", func(e *end, ctx context.Context, n *int64) (err error) { *n, err = e.tryGet(ctx); return err })
		with("lease", func(e *end, ctx context.Context, n *int64) error {
			v, ack, err := e.lease(ctx)
			if err == nil {
				*n, err = v, ack()
			}
			return err
		})
		var next atomic.Int64
		with("put", func(e *end, ctx context.Context, n *int64) error { *n = next.Add(1); return e.put(ctx, *n) })
		withAll("putbatch", func(e *end, ctx context.Context) ([]int64, error) {
			ns := make([]int64, 7)
			for i := range ns {
				ns[i] = next.Add(1)
			}
			n, err := e.putAll(ctx, ns)
			return ns[:n], err
		})
		withAll("getbatch", func(e *end, ctx context.Context) ([]int64, error) { return e.getAll(ctx, 7) })
	}
}

// A message is gone if and only if a Get returned it, or an Ack returned nil;
// it is there if and only if its Put returned nil. Nothing is there twice.
func TestQueues(t *testing.T) {
	for name, open := range ends {
		for _, verb := range []string{"get", "tryget", "getinto", "getbatch", "lease", "put", "putbatch"} {
			if name == "lent" && (strings.HasSuffix(verb, "batch") || verb == "getinto") {
				continue // there is none of loans, whose get is GetInto
			}
			t.Run(name+"."+verb, func(t *testing.T) {
				t.Parallel()
				r, ctx := shmtest.Region(t), testproc.Watchdog(t)
				e := testproc.Get(open(r))(t)
				n := int64(0) // how many have been put, one after the other
				enough, fed := func() {}, make(chan error)
				before := func() {
					var feeding context.Context
					feeding, enough = context.WithCancel(ctx)
					go func() {
						for n = 0; ; n++ {
							if err := e.put(feeding, n); err != nil {
								fed <- err
								return
							}
						}
					}()
				}
				puts := strings.HasPrefix(verb, "put")
				if puts {
					before = nil
				}
				leaving(t, r, name+"."+verb, before, func(t *testing.T, rep report) {
					if before != nil {
						enough()
						if err := <-fed; !errors.Is(err, context.Canceled) {
							t.Fatal(err)
						}
					}
					seen := map[int64]string{}
					for _, v := range rep.Values {
						if seen[v] != "" {
							t.Errorf("message %d twice from the leaver", v)
						}
						seen[v] = "told"
					}
					left := 0
					for {
						v, err := e.tryGet(ctx)
						if errors.Is(err, ring.ErrEmpty) {
							break
						}
						if err != nil {
							t.Fatal(err)
						}
						left++
						switch had := seen[v]; {
						case puts && had != "told", !puts && had != "" || v < 0:
							t.Errorf("message %d of the queue: %q from the leaver", v, had)
						}
						seen[v] = "left"
					}
					if puts && left != len(rep.Values) || !puts && left+len(rep.Values) != int(n) {
						t.Errorf("%d messages were left, and the leaver told of %d; %d were put here", left, len(rep.Values), n)
					}
				})
			})
		}
	}
}
