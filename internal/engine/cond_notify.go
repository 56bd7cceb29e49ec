package engine

import (
	"math/bits"

	"example.com/tandem/internal/mem"
)

// used is the word and the bit that say that row i may be in use.
func (c *Cond) used(i int) (*uint64, uint64) {
	return c.a.W64(condUsed + uint64(i)/64*8), 1 << (i % 64)
}

// next is the first row from i on that may be in use; rows if there is none.
func (c *Cond) next(i int) int {
	for i < c.rows {
		used, _ := c.used(i)
		if w := mem.Load64(used) >> (i % 64); w != 0 {
			return min(i+bits.TrailingZeros64(w), c.rows)
		}
		i = (i/64 + 1) * 64
	}
	return c.rows
}

// Idle reports that nobody waits, and that there is nothing to heal either: a
// Notify that does not have to be made. It sees a waiter by the bit of its row,
// which is set before the row is, and under l. What there is to heal is in rows of
// the dead, and a log names two rows that are not 0. It says false, too, as long as
// no Notify has found out that the rows are empty again, and always in a Cond for
// more than 64.
func (c *Cond) Idle() bool { return c.few != nil && mem.Load64(c.few) == 0 }

// Notify wakes n of those who wait, or all if they are fewer, and returns how
// many. It takes turns among the processes. It never waits. In the zeroes of a closed
// region it finds nobody, and what it gave was in the region. So if here, which is called
// when they are counted, says that the region is there, all says that no one was left out.
func (c *Cond) Notify(n int, here func() bool) (given int, all bool, err error) {
	if err := c.heal(); err != nil { // N1
		return 0, false, err
	}
	procs, room := 0, 0
	for i := c.next(0); i < c.rows; i = c.next(i + 1) {
		r := mem.Load64(c.rowOf(i))
		if !condLegal(r) {
			return 0, false, ErrCorrupt
		}
		if r == 0 {
			used, bit := c.used(i)
			mem.And64(used, ^bit)
		}
		if k := condRoom(r); k > 0 {
			procs++
			room += k
		}
	}
	counted := here()
	if n = min(n, room); n <= 0 {
		return 0, counted, nil
	}
	begin := int(mem.Load64(c.a.W64(condNext)) % uint64(c.rows))
	for given < n {
		k, last, err := c.round(begin, n-given, max(1, (n-given)/procs))
		if given += k; err != nil {
			return given, false, err
		}
		if k == 0 { // some have died since
			break
		}
		begin = (last + 1) % c.rows
	}
	mem.Store64(c.a.W64(condNext), uint64(begin))
	c.count(condNotified, given)
	return given, counted && given == n, nil
}

// round gives n grants at most, and each process share at most, from row begin
// on. last is the row that had the last.
func (c *Cond) round(begin, n, share int) (given, last int, err error) {
	last = begin
	for _, part := range [2][2]int{{begin, c.rows}, {0, begin}} {
		for i := c.next(part[0]); i < part[1] && given < n; i = c.next(i + 1) {
			k, err := c.grant(c.rowOf(i), min(share, n-given)) // N2
			if err != nil {
				return given, last, err
			}
			if k > 0 {
				bell := c.bellOf(i)
				bell.Ring(-1) // N3
				given, last = given+k, i
			}
		}
	}
	return given, last, nil
}

// grant is N2: it gives n grants to a row, or as many as it has room for: none if the
// process is dead.
func (c *Cond) grant(row *uint64, n int) (int, error) {
	for range condTries {
		r := mem.Load64(row)
		if !condLegal(r) {
			return 0, ErrCorrupt
		}
		k := min(condRoom(r), n)
		if k <= 0 {
			return 0, nil
		}
		if mem.CAS64(row, r, r+uint64(k)) {
			return k, nil
		}
	}
	return 0, ErrCorrupt
}

// heal deals what was granted to the dead to those who live, and takes the
// dead out. The caller holds l.
func (c *Cond) heal() error {
	if mem.Load64(c.a.W64(condLog)) != 0 {
		if err := c.redo(); err != nil {
			return err
		}
	}
	// A process can die meanwhile, with what was just dealt to it: so again,
	// until none was dead.
	for range c.rows + 1 {
		healed := false
		for i := c.next(0); i < c.rows; i = c.next(i + 1) {
			if mem.Load64(c.rowOf(i))&condDead == 0 {
				continue
			}
			if err := c.healRow(i); err != nil {
				return err
			}
			healed = true
		}
		if !healed {
			return nil
		}
	}
	return ErrCorrupt
}

// healRow is H1 to H7, of one dead row.
func (c *Cond) healRow(i int) error {
	row := c.rowOf(i)
	for range 2 * c.rows { // each turn empties it or fills another, or another has died
		r := mem.Load64(row)
		if !condLegal(r) {
			mem.CAS64(row, r, 0) // told once; nobody else can clear it
			return ErrCorrupt
		}
		if g := condGrantedOf(r); g > 0 {
			j, s, err := c.roomy()
			if err != nil {
				return err
			}
			if j < c.rows {
				if err := c.move(i, j, r, s, min(g, condRoom(s))); err != nil {
					return err
				}
				continue
			}
		}
		if mem.CAS64(row, r, 0) { // H7
			return nil
		}
	}
	return ErrCorrupt
}

// roomy is a row of a live participant whose waiters are not all notified, and
// what is in it; rows if there is none.
func (c *Cond) roomy() (i int, r uint64, err error) {
	begin := int(mem.Load64(c.a.W64(condNext)) % uint64(c.rows))
	for _, part := range [2][2]int{{begin, c.rows}, {0, begin}} {
		for i := c.next(part[0]); i < part[1]; i = c.next(i + 1) {
			r := mem.Load64(c.rowOf(i))
			if !condLegal(r) {
				return 0, 0, ErrCorrupt
			}
			if condRoom(r) > 0 {
				return i, r, nil
			}
		}
	}
	return c.rows, 0, nil
}

// move deals k of row i's grants to row j. r and s are what is in them.
func (c *Cond) move(i, j int, r, s uint64, k int) error {
	mem.Store64(c.a.W64(condFrom), r-uint64(k)) // H1
	mem.Store64(c.a.W64(condTo), s+uint64(k))
	mem.Store64(c.a.W64(condLog), uint64(j)<<11|uint64(i)<<1|condActive) // H2
	if err := c.redo(); err != nil {
		return err
	}
	c.count(condHealed, k)
	return nil
}

// redo is H3 to H6, by the holder that wrote the log or by the next.
func (c *Cond) redo() error {
	log := mem.Load64(c.a.W64(condLog))
	i, j := int(log>>1&(MaxParticipants-1)), int(log>>11&(MaxParticipants-1))
	from, to := mem.Load64(c.a.W64(condFrom)), mem.Load64(c.a.W64(condTo))
	ok := log>>21 == 0 && log&condActive != 0 && i < c.rows && j < c.rows && condLegal(from) && condLegal(to) &&
		c.become(i, from) && // H3
		c.become(j, to) // H4
	mem.Store64(c.a.W64(condLog), 0) // H5
	if !ok {
		return ErrCorrupt
	}
	bell := c.bellOf(j)
	bell.Ring(-1) // H6
	return nil
}

// become makes row i what the log says, but for D, which recovery may set.
func (c *Cond) become(i int, v uint64) bool {
	row := c.rowOf(i)
	for range 3 {
		r := mem.Load64(row)
		if !condSame(r, v) {
			return false
		}
		if n := v | r&condDead; r == n || mem.CAS64(row, r, n) {
			return true
		}
	}
	return false
}
