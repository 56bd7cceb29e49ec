package closing

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

func openSPSC(r *shm.Region) (*ring.SPSC[record], error) {
	return ring.OpenSPSC[record](r, "spsc", &ring.SPSCOptions{Capacity: 400})
}

func recordOf(n int64) (v record) { v.N[0], v.N[11] = n, n; return v }

func numberOf(v record) int64 {
	if v.N[0] != v.N[11] {
		return -1
	}
	return v.N[0]
}

// spscSide is for the hands of a leaver, of which one at a time uses its side.
var spscSide sync.Mutex

// spscVerbs do it once, and return what they put, or got.
var spscVerbs = map[string]func(s *ring.SPSC[record], ctx context.Context, next *int64) ([]int64, error){
	"put": func(s *ring.SPSC[record], ctx context.Context, next *int64) ([]int64, error) {
		*next++
		if err := s.Put(ctx, recordOf(*next)); err != nil {
			return nil, err
		}
		return []int64{*next}, nil
	},
	"putbatch": func(s *ring.SPSC[record], ctx context.Context, next *int64) (ns []int64, err error) {
		vs := make([]record, 7)
		for i := range vs {
			vs[i] = recordOf(*next + 1 + int64(i))
		}
		n, err := s.PutBatch(ctx, vs)
		for i := range n {
			ns = append(ns, *next+1+int64(i))
		}
		*next += int64(len(vs))
		return ns, err
	},
	"get": func(s *ring.SPSC[record], ctx context.Context, _ *int64) ([]int64, error) {
		v, err := s.Get(ctx)
		if err != nil {
			return nil, err
		}
		return []int64{numberOf(v)}, nil
	},
	"getbatch": func(s *ring.SPSC[record], ctx context.Context, _ *int64) (ns []int64, err error) {
		vs := make([]record, 7)
		n, err := s.GetBatch(ctx, vs)
		for _, v := range vs[:n] {
			ns = append(ns, numberOf(v))
		}
		return ns, err
	},
}

func init() {
	for verb, do := range spscVerbs {
		var next int64
		deeds["spsc."+verb] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
			s, err := openSPSC(r)
			return func(ctx context.Context) error {
				spscSide.Lock()
				defer spscSide.Unlock()
				ns, err := do(s, ctx, &next)
				mu.Lock()
				defer mu.Unlock()
				rep.Values = append(rep.Values, ns...)
				return err
			}, err
		}
	}
}

// What the leaver told of, it has put, and nothing else; or it has got it, and the next
// consumer goes on behind that.
func TestSPSC(t *testing.T) {
	for verb := range spscVerbs {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			r, ctx := shmtest.Region(t), testproc.Watchdog(t)
			s := testproc.Get(openSPSC(r))(t)
			puts := verb == "put" || verb == "putbatch"
			var sent []int64
			enough, fed := func() {}, make(chan error, 1)
			before := func() {
				sent = nil
				var feeding context.Context
				feeding, enough = context.WithCancel(ctx)
				go func() {
					for n := int64(1); ; n++ {
						if err := s.Put(feeding, recordOf(n)); err != nil {
							fed <- err
							return
						}
						sent = append(sent, n)
					}
				}()
			}
			if puts {
				before = nil
			}
			leaving(t, r, "spsc."+verb, before, func(t *testing.T, rep report) {
				if before != nil {
					enough()
					if err := <-fed; !errors.Is(err, context.Canceled) {
						t.Fatal(err)
					}
				}
				var left []int64
				for {
					v, err := s.TryGet()
					if errors.Is(err, ring.ErrEmpty) {
						break
					} else if err != nil {
						t.Fatal(err)
					}
					left = append(left, numberOf(v))
				}
				if puts && !slices.Equal(left, rep.Values) {
					t.Errorf("the leaver told of %v, and %v are there", rep.Values, left)
				}
				if all := slices.Concat(rep.Values, left); !puts && !slices.Equal(all, sent) {
					t.Errorf("of %d the leaver told of %v, and %v were left", len(sent), rep.Values, left)
				}
				if err := r.Remove("spsc"); err != nil { // this process has the consumer's side of it now
					t.Fatal(err)
				}
				s = testproc.Get(openSPSC(r))(t)
			})
		})
	}
}
