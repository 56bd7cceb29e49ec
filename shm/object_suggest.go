package shm

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"example.com/tandem/internal/region"
)

// notExist is fs.ErrNotExist with the names that may have been meant.
func (w *words) notExist(name string) error {
	near := w.nearest(name)
	if len(near) == 0 {
		return fmt.Errorf("no such object: %w", fs.ErrNotExist)
	}
	for i, s := range near {
		near[i] = fmt.Sprintf("%q", s)
	}
	return fmt.Errorf("no such object, did you mean %s? %w", strings.Join(near, " or "), fs.ErrNotExist)
}

const (
	nearestMost = 3
	nearestLook = 20000 // objects
)

// nearest returns a few names of live objects that a typo could turn into name.
func (w *words) nearest(name string) []string {
	type candidate struct {
		name string
		d    int
	}
	var cs []candidate
	limit := max(1, min(len(name)/3, 4))
	looked := 0
	for i := uint32(0); i < w.Geo.Objects && looked < nearestLook; i++ {
		if w.EntryState(i) != region.EntLive {
			continue
		}
		looked++
		e := w.Entry(i)
		other := e.Text()
		if d := len(other) - len(name); d > limit && !strings.HasPrefix(other, name) || d < -limit {
			continue
		}
		d := typos(strings.ToLower(name), strings.ToLower(other))
		if d > limit && len(name) >= 3 && strings.HasPrefix(other, name) {
			d = limit
		}
		if d <= limit && w.Still(&e) && checkObjectName(other) == nil {
			cs = append(cs, candidate{other, d})
		}
	}
	slices.SortFunc(cs, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(x.d, y.d), cmp.Compare(x.name, y.name))
	})
	var names []string
	for _, c := range cs[:min(len(cs), nearestMost)] {
		names = append(names, c.name)
	}
	return names
}

// typos is the least number of letters inserted, left out, replaced or swapped
// with their neighbour that lead from a to b.
func typos(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
