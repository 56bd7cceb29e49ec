package damage

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	gosync "sync"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// An op is one call, or some that belong together.
type op struct {
	name string
	do   func(ctx context.Context) error
}

// A user has a region open, and handles on the objects in it: nil where an
// object could not be opened.
type user struct {
	r      *shm.Region
	rnd    *rand.Rand
	amidst bool // somebody scribbles while it works
	ops    []op
	left   gosync.WaitGroup // calls that end with Close at the latest
}

func (u *user) add(name string, do func(ctx context.Context) error) {
	u.ops = append(u.ops, op{name, do})
}

func (u *user) try(name string, do func() error) {
	u.add(name, func(context.Context) error { return do() })
}

// wish is what an op returns for a result that is not an error.
func wish(any) error { return nil }

// newUser lists all there is to do with r. run calls a function as an op.
func newUser(r *shm.Region, rnd *rand.Rand, amidst bool, run func(op)) *user {
	u := &user{r: r, rnd: rnd, amidst: amidst}
	u.region()
	open := func(name string, do func() error) {
		run(op{"open " + name, func(context.Context) error { return do() }})
	}
	for _, name := range []string{"free", "held", "abandoned", "waited"} {
		open(name, func() error { return u.mutex(name) })
	}
	u.primitives(open)
	open("int64", func() error { return number[int64](u, "int64") })
	open("uint16", func() error { return number[uint16](u, "uint16") })
	open("float64", func() error { return number[float64](u, "float64") })
	open("padded", func() error { return value1(u, "padded", padded{false, 9}) })
	open("bool", func() error { return value1(u, "bool", true) })
	open("int16s", func() error { return array[int16](u, "int16s") })
	open("floats", func() error { return array[float32](u, "floats") })
	open("wide", func() error { return value1(u, "wide", pair{5, 6}) })
	open("wide-pages", func() error { return wides[page](u, "wide-pages") })
	if rnd.IntN(8) == 0 { // what is given out of a Slice is mapped for ever
		open("rows", func() error { return u.slice() })
	}
	for _, name := range []string{"empty", "pairs", "shut", "over"} {
		open(name, func() error { return queue(u, name, func(i int) pair { return pair{int64(i), 4} }) })
	}
	open("bytes", func() error {
		if _, err := ring.OpenQueue[[]byte](r, "bytes", &someBytes); err != nil { // it may have been removed
			return err
		}
		return queue(u, "bytes", func(i int) []byte { return []byte(text(i * 100)) })
	})
	open("full", func() error { return queue(u, "full", func(i int) string { return text(i * 50) }) })
	open("jobs", func() error {
		return queue(u, "jobs", func(i int) job { return job{text(i), []string{"b"}, map[string]int{"y": i}} })
	})
	for _, name := range []string{"ticks", "tocks"} {
		open(name, func() error { return spsc(u, name) })
	}
	for _, end := range []ring.End{ring.Left, ring.Right} { // of a pipe anew, where those who had it are recovered
		open("talk", func() error { return pipe(u, "talk", end, func(i int) string { return text(i * 50) }) })
	}
	open("one-way", func() error { return pipe(u, "one-way", ring.Right, func(i int) pair { return pair{int64(i), 3} }) })
	open("news", func() error { return broadcast(u, "news", func(i int) string { return text(i * 50) }) })
	open("quotes", func() error { return broadcast(u, "quotes", func(i int) pair { return pair{int64(i), 6} }) })
	open("web", func() error { return streams(u, "web") })
	open("pages", func() error { return queue(u, "pages", func(i int) page { return page{ID: int64(i)} }) })
	return u
}

func (u *user) region() {
	r := u.r
	u.try("Check", r.Check)
	u.try("Snapshot", func() error {
		s, err := r.Snapshot()
		if err == nil {
			wish(s.String())
			for i := range s.Objects {
				wish(s.ObjectText(&s.Objects[i]))
			}
			if _, bad := json.Marshal(s); bad != nil {
				return fmt.Errorf("the snapshot as JSON: %v", bad)
			}
		}
		return err
	})
	u.try("Objects", func() error {
		for o := range r.Objects() {
			wish(o.Config())
		}
		return nil
	})
	u.try("Participants", func() error { return wish(r.Participants()) })
	u.try("Self", func() error { return wish(r.Self()) })
	u.add("Exits", func(ctx context.Context) error {
		for p := range r.Exits(ctx) {
			wish(p)
		}
		return nil
	})
	u.try("File and OpenFile", func() error {
		f, err := r.File()
		if err != nil {
			return err
		}
		defer f.Close()
		other, err := shm.OpenFile(f, &shm.Options{ReadOnly: u.rnd.IntN(2) == 0})
		if err != nil {
			return err
		}
		return other.Close()
	})
	for range 2 {
		name := fmt.Sprint("new-", u.rnd.IntN(3))
		u.try("create "+name, func() error { _, err := ring.OpenQueue[int](r, name, &ring.QueueOptions{Capacity: 200}); return err })
		u.try("remove "+name, func() error { return r.Remove(name) })
	}
	u.try("remove one", func() error {
		return r.Remove([]string{"free", "pairs", "bytes", "int64", "rows", "nobody"}[u.rnd.IntN(6)])
	})
	u.try("open another kind", func() error { _, err := sync.OpenMutex(r, "pairs"); return err })
	u.try("open another type", func() error { _, err := ring.OpenQueue[int8](r, "pairs", nil); return err })
	u.try("open another capacity", func() error {
		_, err := ring.OpenQueue[[]byte](r, "bytes", &ring.QueueOptions{Capacity: 9})
		return err
	})
	u.try("open another length", func() error { _, err := atomics.OpenArray[int16](r, "int16s", 10); return err })
	u.try("open a value as an array", func() error { _, err := atomics.OpenArray[int64](r, "int64", 0); return err })
	u.try("open a typo", func() error { _, err := sync.OpenMutex(r.Existing(), "fre"); return err })
	u.try("open what is too large", func() error {
		_, err := atomics.OpenArray[int64](r, "large", 1<<20)
		return err
	})
	u.try("List", func() error { _, err := shm.List(); return err })
	u.try("ListAll", func() error {
		infos, err := shm.ListAll()
		wish(shm.ListText(infos))
		return err
	})
	u.again("region", r, new(shm.Region), func(back encoding.BinaryUnmarshaler) error { return back.(*shm.Region).Close() })
}

// again is a handle's way to another process.
func (u *user) again(name string, h encoding.BinaryMarshaler, back encoding.BinaryUnmarshaler, after func(encoding.BinaryUnmarshaler) error) {
	u.try(name+" marshalled", func() error {
		b, err := h.MarshalBinary()
		if err == nil {
			err = back.UnmarshalBinary(b)
		}
		if err == nil && after != nil {
			err = after(back)
		}
		return err
	})
}

// lock is what a Mutex, a Value and an Array have.
type lock interface {
	sync.Lock
	TryLock() (bool, error)
	Recover(context.Context) (bool, error)
	MarkConsistent() error
}

func (u *user) lock(name string, l lock) {
	// What was locked is held, unless somebody scribbles just then.
	unlock := func() error {
		err := l.Unlock()
		if err != nil && !u.amidst {
			return fmt.Errorf("locked, and then: %v", err)
		}
		return err
	}
	u.add(name+" Lock", func(ctx context.Context) error {
		err := l.Lock(ctx)
		if err == nil && u.rnd.IntN(2) == 0 {
			err = unlock()
		}
		return err
	})
	u.try(name+" TryLock", func() error {
		ok, err := l.TryLock()
		if ok {
			err = unlock()
		}
		return err
	})
	u.add(name+" Recover", func(ctx context.Context) error {
		_, err := l.Recover(ctx)
		if err == nil {
			if u.rnd.IntN(2) == 0 {
				err = l.MarkConsistent()
			}
			if e := unlock(); err == nil {
				err = e
			}
		}
		return err
	})
	u.try(name+" MarkConsistent", l.MarkConsistent)
	u.try(name+" Unlock", l.Unlock)
	u.add(name+" With", func(ctx context.Context) error { return sync.With(ctx, l, func() error { return nil }) })
}

func (u *user) mutex(name string) error {
	m, err := sync.OpenMutex(u.r, name)
	if err != nil {
		return err
	}
	u.lock(name, m)
	u.try(name+" Owner", func() error { m.Owner(); return nil })
	u.add(name+" repaired", func(ctx context.Context) error {
		m.OnOwnerDied(func(context.Context) error { return nil })
		defer m.OnOwnerDied(nil)
		err := m.Lock(ctx)
		if err == nil {
			err = m.Unlock()
		}
		return err
	})
	u.again(name, m, new(sync.Mutex), nil)
	return nil
}

// patient is how long a call that blocks may wait.
const patient = 200 * time.Microsecond
