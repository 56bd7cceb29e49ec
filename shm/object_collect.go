package shm

import (
	"errors"
	"fmt"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
)

// collectSome is how many removed objects each creator looks at; all of them,
// where it finds no room.
const collectSome = 16

// collect takes back the memory of removed objects that nobody has open, and which are
// not on the shelf: of those it finds in so many steps, from where the last call left
// off. The lock is held. See internal/region/directory.go for Void.
func (a *attachment) collect(steps uint32) error {
	type freed struct{ x, run region.Extent }
	var back []freed
	link := a.Dir32(region.DirRemoved)
	if i := a.nextCollected; i != 0 && steps < a.Geo.Objects && a.EntryState(i-1) == region.EntRemoved {
		link = a.Ent32(i-1, region.EntNext)
	}
	a.nextCollected = 0
	shelf := a.Shelf()
	for n := mem.Load32(link); n != 0; n = mem.Load32(link) {
		if n > a.Geo.Objects {
			return fmt.Errorf("chain of removed objects: link to %d of %d: %w", n, a.Geo.Objects, ErrCorrupt)
		}
		if steps == 0 {
			break
		}
		steps--
		i := n - 1
		next := a.Ent32(i, region.EntNext)
		if a.Opened(i) || shelf.Has(i, mem.Load64(a.Ent64(i, region.EntGen))) {
			link, a.nextCollected = next, n
			continue
		}
		e := a.Entry(i)
		if err := a.Valid(&e); err != nil || e.State != region.EntRemoved {
			return errors.Join(fmt.Errorf("chain of removed objects: entry %d, state %d: %w", i, e.State, ErrCorrupt), err)
		}
		a.BeginChange()
		mem.Store32(a.Ent32(i, region.EntState), region.EntVoid)
		if a.Opened(i) {
			mem.Store32(a.Ent32(i, region.EntState), region.EntRemoved)
			link, a.nextCollected = next, n
			continue
		}
		mem.Store32(link, mem.Load32(next))
		x := region.Extent{Off: e.Off, Size: e.Size}
		run, err := a.Put(x)
		if err != nil {
			return err
		}
		mem.Store32(next, mem.Load32(a.Dir32(region.DirFree)))
		mem.Store32(a.Ent32(i, region.EntState), region.EntFree)
		mem.Store32(a.Dir32(region.DirFree), n)
		back = append(back, freed{x, run})
	}
	if mem.Load32(link) == 0 {
		a.nextCollected = 0
	}
	if mem.Load64(a.Dir64(region.DirSeq))&1 != 0 {
		a.EndChange()
	}
	for _, f := range back {
		a.giveBack(f.x, f.run)
	}
	return nil
}
