package damage

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	gosync "sync"
	"syscall"

	"example.com/tandem/ring"
)

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
	var into T
	u.add(name+" RecvInto", func(ctx context.Context) error { return c.RecvInto(ctx, &into) })
	u.add(name+" Poll", func(ctx context.Context) error { return c.Poll(ctx) })
	if u.rnd.IntN(4) == 0 {
		u.try(name+" Close", c.Close)
	}
	u.any(name, c)
	u.again(name, c, new(ring.Conn[T]), nil)
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
