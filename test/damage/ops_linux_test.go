package damage

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	gosync "sync"
	"syscall"
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

func value1[T comparable](u *user, name string, x T) error {
	v, err := atomics.OpenValue(u.r, name, x)
	if err != nil {
		return err
	}
	u.lock(name, v)
	u.try(name, func() error {
		v.CompareAndSwap(v.Load(), x)
		v.Update(func(y T) T { return y })
		v.Swap(v.Load())
		v.Store(x)
		return nil
	})
	u.again(name, v, new(atomics.Value[T]), nil)
	return nil
}

func number[T atomics.Number](u *user, name string) error {
	v, err := atomics.OpenValue(u.r, name, T(1))
	if err != nil {
		return err
	}
	u.try(name+" Add", func() error { return wish(atomics.Add(v, 3)) })
	return value1(u, name, T(2))
}

func array[T atomics.Number](u *user, name string) error {
	a, err := atomics.OpenArray[T](u.r, name, 0)
	if err != nil {
		return err
	}
	u.lock(name, a)
	u.try(name, func() error {
		dst := make([]T, a.Len())
		a.CopyTo(dst)
		a.CopyFrom(dst)
		for i, x := range a.All() {
			a.CompareAndSwap(i, x, x+1)
			a.Store(i, a.Swap(i, x))
			a.Update(i, func(y T) T { return y + 1 })
			atomics.AddAt(a, i, 2)
		}
		return nil
	})
	u.again(name, a, new(atomics.Array[T]), nil)
	return nil
}

func wides[T comparable](u *user, name string) error {
	a, err := atomics.OpenArray[T](u.r, name, 0)
	if err != nil {
		return err
	}
	u.lock(name, a)
	u.try(name, func() error {
		dst := make([]T, a.Len())
		a.CopyTo(dst)
		a.CopyFrom(dst)
		for i, x := range a.All() {
			a.CompareAndSwap(i, x, dst[0])
			a.Store(i, a.Swap(i, x))
			a.Update(i, func(y T) T { return y })
		}
		return nil
	})
	u.again(name, a, new(atomics.Array[T]), nil)
	return nil
}

func (u *user) slice() error {
	s, err := atomics.OpenSlice[row](u.r, "rows", 0)
	if err != nil {
		return err
	}
	u.try("rows Data", func() error {
		for i, x := range s.Data() {
			s.Data()[i] = x
		}
		return nil
	})
	u.again("rows", s, new(atomics.Slice[row]), nil)
	return nil
}

// lendable says whether a T can be lent, and what loans are of.
func lendable[T any]() (size func(*rand.Rand) int, ok bool) {
	switch t := reflect.TypeFor[T](); {
	case t == reflect.TypeFor[[]byte]():
		return func(r *rand.Rand) int { return r.IntN(3000) }, true
	case t == reflect.TypeFor[page]():
		return func(*rand.Rand) int { return 1 }, true
	}
	return nil, false
}

func queue[T any](u *user, name string, message func(i int) T) error {
	q, err := ring.OpenQueue[T](u.r, name, nil)
	if err != nil {
		return err
	}
	next := func() T { return message(u.rnd.IntN(60)) }
	var held []ring.Delivery[T]
	lease := func(d ring.Delivery[T], err error) error {
		if err == nil {
			wish(d.Value())
			held = append(held, d)
		}
		return err
	}
	u.add(name+" Put", func(ctx context.Context) error { return q.Put(ctx, next()) })
	u.try(name+" TryPut", func() error { return q.TryPut(next()) })
	u.add(name+" PutBatch", func(ctx context.Context) error {
		_, err := q.PutBatch(ctx, []T{next(), next(), next()})
		return err
	})
	u.add(name+" Get", func(ctx context.Context) error { _, err := q.Get(ctx); return err })
	u.try(name+" TryGet", func() error { _, err := q.TryGet(); return err })
	u.add(name+" GetBatch", func(ctx context.Context) error { _, err := q.GetBatch(ctx, make([]T, 3)); return err })
	u.add(name+" Lease", func(ctx context.Context) error { return lease(q.Lease(ctx)) })
	u.try(name+" TryLease", func() error { return lease(q.TryLease()) })
	u.add(name+" All", func(ctx context.Context) error { return some(q.All(ctx)) })
	u.add(name+" Leases", func(ctx context.Context) error { return some(q.Leases(ctx)) })
	for _, end := range []struct {
		name string
		f    func(ring.Delivery[T]) error
	}{{"Ack", ring.Delivery[T].Ack}, {"Nack", ring.Delivery[T].Nack}} {
		u.try(name+" "+end.name, func() error {
			if len(held) == 0 {
				return nil
			}
			d := held[0]
			held = held[u.rnd.IntN(2):]
			return end.f(d)
		})
	}
	into := new(T)
	u.add(name+" GetInto", func(ctx context.Context) error { return q.GetInto(ctx, into) })
	u.try(name+" View", func() error {
		if len(held) > 0 {
			wish(held[0].View())
			wish(held[0].Ptr())
		}
		return nil
	})
	if size, ok := lendable[T](); ok {
		var out []ring.Loan[T]
		u.add(name+" Loan", func(ctx context.Context) error {
			l, err := q.Loan(ctx, size(u.rnd))
			if err != nil {
				return err
			}
			clear(l.Bytes())
			if p := l.Ptr(); p != nil {
				*p = next()
			}
			out = append(out, l)
			return nil
		})
		u.add(name+" Loan's end", func(ctx context.Context) error {
			if len(out) == 0 {
				return nil
			}
			l := out[0]
			out = out[u.rnd.IntN(2):]
			if u.rnd.IntN(3) == 0 {
				return l.Drop()
			}
			n := len(l.Bytes())
			if l.Ptr() != nil {
				n = 1
			}
			return l.Put(ctx, n)
		})
	}
	u.try(name+" TaskDone", q.TaskDone)
	u.add(name+" Join", q.Join)
	u.try(name+" Len", func() error { return wish(q.Len() + q.Cap()) })
	if u.rnd.IntN(4) == 0 || strings.HasPrefix(name, "f") {
		u.try(name+" Shutdown", q.Shutdown)
	}
	u.any(name, q)
	u.again(name, q, new(ring.Queue[T]), nil)
	return nil
}

// spsc is used by one goroutine at a time on each side.
func spsc(u *user, name string) error {
	s, err := ring.OpenSPSC[pair](u.r, name, nil)
	if err != nil {
		return err
	}
	var puts, gets gosync.Mutex
	of := func(side *gosync.Mutex, call string, do func(ctx context.Context) error) {
		u.add(name+" "+call, func(ctx context.Context) error {
			if !side.TryLock() {
				return nil
			}
			defer side.Unlock()
			return do(ctx)
		})
	}
	of(&puts, "Put", func(ctx context.Context) error { return s.Put(ctx, pair{1, 9}) })
	of(&puts, "TryPut", func(context.Context) error { return s.TryPut(pair{2, 9}) })
	of(&puts, "PutBatch", func(ctx context.Context) error { _, err := s.PutBatch(ctx, make([]pair, 4)); return err })
	of(&gets, "Get", func(ctx context.Context) error { _, err := s.Get(ctx); return err })
	of(&gets, "TryGet", func(context.Context) error { _, err := s.TryGet(); return err })
	of(&gets, "GetBatch", func(ctx context.Context) error { _, err := s.GetBatch(ctx, make([]pair, 4)); return err })
	of(&gets, "All", func(ctx context.Context) error { return some(s.All(ctx)) })
	u.try(name+" Len", func() error { return wish(s.Len() + s.Cap()) })
	if u.rnd.IntN(4) == 0 {
		u.try(name+" Shutdown", s.Shutdown)
	}
	u.any(name, s)
	u.again(name, s, new(ring.SPSC[pair]), nil)
	return nil
}

func broadcast[T any](u *user, name string, message func(i int) T) error {
	b, err := ring.OpenBroadcast[T](u.r, name, nil)
	if err != nil {
		return err
	}
	next := func() T { return message(u.rnd.IntN(60)) }
	s, err := b.Subscribe()
	u.try(name+" Subscribe", func() error {
		s, err := b.Subscribe()
		if err == nil {
			err = s.Close()
		}
		return err
	})
	u.add(name+" Publish", func(ctx context.Context) error { return b.Publish(ctx, next()) })
	u.try(name+" TryPublish", func() error { return b.TryPublish(next()) })
	if err == nil {
		u.add(name+" Next", func(ctx context.Context) error { _, _, err := s.Next(ctx); return err })
		u.add(name+" All", func(ctx context.Context) error { return some(s.All(ctx)) })
		u.any(name, s)
	}
	if u.rnd.IntN(4) == 0 {
		u.try(name+" Shutdown", b.Shutdown)
	}
	u.again(name, b, new(ring.Broadcast[T]), nil)
	return nil
}

func pipe[T any](u *user, name string, end ring.End, message func(i int) T) error {
	c, err := ring.OpenPipe[T](u.r, name, end, nil)
	if err != nil {
		return err
	}
	name += " " + end.String()
	u.add(name+" Send", func(ctx context.Context) error { return c.Send(ctx, message(u.rnd.IntN(60))) })
	u.add(name+" Recv", func(ctx context.Context) error { _, err := c.Recv(ctx); return err })
	u.add(name+" Poll", func(ctx context.Context) error { return c.Poll(ctx) })
	if u.rnd.IntN(4) == 0 {
		u.try(name+" Close", c.Close)
	}
	u.any(name, c)
	u.again(name, c, new(ring.Conn[T]), nil)
	return nil
}

// streams listens where a dead process did, and dials what it finds there.
func streams(u *user, name string) error {
	l, err := ring.Listen(u.r, name, nil)
	if errors.Is(err, syscall.EADDRINUSE) { // the damage says that one who lives does
		return nil
	}
	if err != nil {
		return err
	}
	u.add(name+" Dial", func(ctx context.Context) error {
		over := make(chan bool)
		go func() {
			defer close(over)
			for {
				c, err := l.Accept()
				if err != nil {
					l.Close() // or who dials would wait for ever
					return
				}
				go func() {
					io.CopyN(c, c, 5)
					c.Close()
				}()
			}
		}()
		c, err := ring.Dial(ctx, u.r, name)
		if err == nil {
			c.Write([]byte("hello"))
			c.Close()
		}
		l.Close()
		<-over
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		return err
	})
	return nil
}

// some takes a few of what an iterator has.
func some[T any](seq func(func(T, error) bool)) (err error) {
	n := 0
	for _, e := range seq {
		if err = e; n == 3 {
			break
		}
		n++
	}
	return err
}

// patient is how long a call that blocks may wait.
const patient = 200 * time.Microsecond
