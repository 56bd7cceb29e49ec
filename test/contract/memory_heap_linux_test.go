package contract_test

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"testing"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
)

// used is how much of the region's memory is in use.
func (w *world) used() int64 { return testproc.Get(w.Region.Snapshot())(w.T).Memory.Used }

// Where objects have their memory from.
func TestHeap(t *testing.T) {
	t.Parallel()
	t.Run("H1 memory of all sizes comes and goes: each piece is one's, and in the end all is there", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			before := w.used()
			var calls []*actor.Call
			for i, a := range w.Actors(3) {
				calls = append(calls, a.Begin("memory.churn", strconv.Itoa(i), strconv.Itoa(effort.Or(5000, 200))))
			}
			for _, c := range calls {
				testproc.OK(t, w.Region.Check()) // while they do
				c.Expect("ok")
			}
			testproc.OK(t, w.Region.Check())
			w.Until("all memory is free", func() bool { return w.used() == before })
		})
	})
	t.Run("H1 D11 killed while it has memory and takes some: the others go on, and what it had comes back", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			before := w.used()
			for i := range 3 {
				a, b := w.Actor(), w.Actor()
				other := b.Begin("memory.churn", "0", "100")
				a.Begin("memory.churn", "1", "1000000000")
				w.Until("it has some", func() bool { return len(w.churned()) > 5*i })
				a.Kill()
				other.Expect("ok")
				w.Until("all memory is free", func() bool {
					for _, name := range w.churned() {
						if err := w.Region.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
							t.Fatal(err)
						}
					}
					return w.used() == before
				})
				testproc.OK(t, w.Region.Check())
			}
		})
	})
	t.Run("H2 what a collector gives back, whenever it does, holds nobody up", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			before := w.used()
			as := w.Actors(2)
			var calls []*actor.Call
			for i, a := range as {
				calls = append(calls, a.Begin("memory.litter", strconv.Itoa(i), strconv.Itoa(effort.Or(2000, 50))))
			}
			for _, c := range calls {
				c.Expect("ok")
			}
			w.Until("all memory is free", func() bool {
				for _, a := range as {
					a.Expect("ok", "memory.collect")
				}
				return w.used() == before
			})
			testproc.OK(t, w.Region.Check())
		})
	})
}

// churned are the names of what actor 1 has made and not removed.
func (w *world) churned() (names []string) {
	for o := range w.Region.Objects() {
		if strings.HasPrefix(o.Name, "churn-1-") {
			names = append(names, o.Name)
		}
	}
	return names
}
