package shm

import (
	"errors"
	"fmt"

	"example.com/tandem/internal/mem"
)

// collectSome is how many removed objects each creator looks at; all of them,
// where it finds no room.
const collectSome = 16

// collect takes back the memory of removed objects that nobody has open: of
// those it finds in so many steps, from where the last call left off. The lock
// is held. See directory.go for Void.
func (a *attachment) collect(steps uint32) error {
	type freed struct{ x, run extent }
	var back []freed
	link := a.dir32(dirRemoved)
	if i := a.nextCollected; i != 0 && steps < a.g.objects && a.state(i-1) == entRemoved {
		link = a.ent32(i-1, entNext)
	}
	a.nextCollected = 0
	for n := mem.Load32(link); n != 0; n = mem.Load32(link) {
		if n > a.g.objects {
			return fmt.Errorf("chain of removed objects: link to %d of %d: %w", n, a.g.objects, ErrCorrupt)
		}
		if steps == 0 {
			break
		}
		steps--
		i := n - 1
		next := a.ent32(i, entNext)
		if a.opened(i) {
			link, a.nextCollected = next, n
			continue
		}
		e := a.read(i)
		if err := a.valid(&e); err != nil || e.state != entRemoved {
			return errors.Join(fmt.Errorf("chain of removed objects: entry %d, state %d: %w", i, e.state, ErrCorrupt), err)
		}
		a.beginChange()
		mem.Store32(a.ent32(i, entState), entVoid)
		if a.opened(i) {
			mem.Store32(a.ent32(i, entState), entRemoved)
			link, a.nextCollected = next, n
			continue
		}
		mem.Store32(link, mem.Load32(next))
		x := extent{e.off, e.size}
		run, err := a.put(x)
		if err != nil {
			return err
		}
		mem.Store32(next, mem.Load32(a.dir32(dirFree)))
		mem.Store32(a.ent32(i, entState), entFree)
		mem.Store32(a.dir32(dirFree), n)
		back = append(back, freed{x, run})
	}
	if mem.Load32(link) == 0 {
		a.nextCollected = 0
	}
	if mem.Load64(a.dir64(dirSeq))&1 != 0 {
		a.endChange()
	}
	for _, f := range back {
		a.giveBack(f.x, f.run)
	}
	return nil
}
