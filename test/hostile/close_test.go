package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

// hungUp ends a connection at once.
func hungUp(c net.Conn, err error) error {
	if err == nil {
		c.Close()
	}
	return err
}

// Close under every operation at once: each ends, with ErrClosed and nothing
// else, and what the other handle sees is whole.
func TestCloseUnderEverything(t *testing.T) {
	rounds := effort.Or(8, 2)
	base := shmtest.Region(t)
	dir := filepath.Dir(base.Name())
	for range rounds {
		name := filepath.Join(dir, "round")
		r := testproc.Get(shm.Create(name, &shm.Options{Size: 8 << 20}))(t)
		ctx := testproc.Watchdog(t)
		words := testproc.Get(ring.OpenQueue[int64](r, "words", &ring.QueueOptions{Capacity: 4}))(t)
		loans := testproc.Get(ring.OpenQueue[[]byte](r, "loans", &ring.QueueOptions{Capacity: 4}))(t)
		texts := testproc.Get(ring.OpenQueue[string](r, "texts", &ring.QueueOptions{Capacity: 4}))(t)
		idle := testproc.Get(ring.OpenQueue[int64](r, "idle", nil))(t)
		ticks := testproc.Get(ring.OpenSPSC[int64](r, "ticks", &ring.SPSCOptions{Capacity: 4}))(t)
		left := testproc.Get(ring.OpenPipe[int64](r, "pipe", ring.Left, &ring.PipeOptions{Buffer: 64}))(t)
		right := testproc.Get(ring.OpenPipe[int64](r, "pipe", ring.Right, nil))(t)
		web := testproc.Get(ring.Listen(r, "web", &ring.ListenOptions{Buffer: 64, Backlog: 1}))(t)
		news := testproc.Get(ring.OpenBroadcast[int64](r, "news", &ring.BroadcastOptions{Capacity: 2}))(t)
		says := testproc.Get(ring.OpenBroadcast[string](r, "says", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 2}))(t)
		silent := testproc.Get(ring.OpenBroadcast[int64](r, "silent", nil))(t)
		full := testproc.Get(ring.OpenBroadcast[int64](r, "full", &ring.BroadcastOptions{Capacity: 1}))(t)
		reads, hears := testproc.Get(news.Subscribe())(t), testproc.Get(says.Subscribe())(t)
		waits, unread := testproc.Get(silent.Subscribe())(t), testproc.Get(full.Subscribe())(t)
		mu := testproc.Get(tsync.OpenMutex(r, "mu"))(t)
		held := testproc.Get(tsync.OpenMutex(r, "held"))(t)
		v := testproc.Get(atomics.OpenValue(r, "v", int64(1)))(t)
		a := testproc.Get(atomics.OpenArray[int32](r, "a", 100))(t)
		wide := testproc.Get(atomics.OpenArray[[5]int64](r, "wide", 10))(t)
		s := testproc.Get(atomics.OpenSlice[int64](r, "s", 100))(t).Data()
		rw := testproc.Get(tsync.OpenRWMutex(r, "rw"))(t)
		written := testproc.Get(tsync.OpenRWMutex(r, "written"))(t)
		re := testproc.Get(tsync.OpenRMutex(r, "re"))(t)
		own := testproc.Get(tsync.OpenCond(r, "own", nil))(t)
		other := testproc.Get(tsync.OpenMutex(r, "other"))(t)
		of := testproc.Get(tsync.OpenCond(r, "of", other))(t)
		sem := testproc.Get(tsync.OpenSemaphore(r, "sem", 2))(t)
		none := testproc.Get(tsync.OpenSemaphore(r, "none", 0))(t)
		bound := testproc.Get(tsync.OpenBoundedSemaphore(r, "bound", 1))(t)
		event := testproc.Get(tsync.OpenEvent(r, "event"))(t)
		never := testproc.Get(tsync.OpenEvent(r, "never"))(t)
		bar := testproc.Get(tsync.OpenBarrier(r, "bar", 2, nil))(t)
		alone := testproc.Get(tsync.OpenBarrier(r, "alone", 2, nil))(t)
		once := testproc.Get(tsync.OpenOnce(r, "once"))(t)
		done := testproc.Get(tsync.OpenOnce(r, "done"))(t)
		failed := errors.New("failed")
		fails := func(context.Context) error { return failed }
		if err := errors.Join(held.Lock(ctx), written.Lock(ctx), full.Publish(ctx, 1)); err != nil {
			t.Fatal(err)
		}

		one := func(_ any, err error) error { return err }
		two := func(_, _ any, err error) error { return err }
		var running, ended sync.WaitGroup
		var closed atomic.Bool
		for what, f := range map[string]func() error{
			"Put":   func() error { return words.Put(ctx, 1) },
			"Get":   func() error { return one(words.Get(ctx)) },
			"Lease": func() error { d, err := words.Lease(ctx); return errors.Join(err, d.Ack()) },
			"PutText": func() error {
				return texts.Put(ctx, "twenty bytes of text, and so many more that it lies in blocks of its own, outside of the slot, somewhere")
			},
			"GetText": func() error { return one(texts.Get(ctx)) },
			"GetInto": func() error { var b []byte; return loans.GetInto(ctx, &b) },
			"View":    func() error { d, err := loans.Lease(ctx); d.View(); return errors.Join(err, d.Ack()) },
			"Lend": func() error {
				l, err := loans.Loan(ctx, 5000)
				if err != nil {
					return err
				}
				clear(l.Bytes())
				return l.Put(ctx, 4000)
			},
			"Drop":     func() error { l, err := loans.Loan(ctx, 5000); return errors.Join(err, l.Drop()) },
			"Send":     func() error { return one(ticks.PutBatch(ctx, make([]int64, 3))) },
			"Receive":  func() error { return one(ticks.Get(ctx)) },
			"Say":      func() error { return left.Send(ctx, 1) },
			"Hear":     func() error { return one(right.Recv(ctx)) },
			"HearInto": func() error { var n int64; return right.RecvInto(ctx, &n) },
			"Answer":   func() error { return one(left.Recv(ctx)) },
			"Accept":   func() error { return hungUp(web.Accept()) },
			"Dial":     func() error { return hungUp(ring.Dial(ctx, r, "web")) },
			"DialToo":  func() error { return hungUp(ring.Dial(ctx, r, "web")) },
			"Listen":   func() error { return ignore(one(ring.Listen(r, "web", nil)), syscall.EADDRINUSE) },
			"PipePoll": func() error { return left.Poll(ctx) },
			"Publish":  func() error { return news.Publish(ctx, 1) },
			"Next":     func() error { return two(reads.Next(ctx)) },
			"Tell":     func() error { return says.Publish(ctx, "twenty bytes of text, and some more of it") },
			"TryTell":  func() error { return ignore(says.TryPublish("some text"), ring.ErrFull) },
			"Told":     func() error { return two(hears.Next(ctx)) },
			"Silent":   func() error { return two(waits.Next(ctx)) },
			"Unread":   func() error { return full.Publish(ctx, 2) },
			"Subscribe": func() error {
				s, err := news.Subscribe()
				if err == nil {
					err = s.Close()
				}
				return err
			},
			"Nack":     func() error { d, err := texts.Lease(ctx); return errors.Join(err, d.Nack()) },
			"Join":     func() error { return texts.Join(ctx) },
			"TaskDone": func() error { return ignore(words.TaskDone(), ring.ErrOverDone) },
			"Idle":     func() error { return one(idle.Get(ctx)) },
			"Lock":     func() error { return tsync.With(ctx, mu, func() error { return nil }) },
			"Held":     func() error { return held.Lock(ctx) },
			"TryHeld":  func() error { return one(held.TryLock()) },
			"Write":    func() error { return tsync.With(ctx, rw, func() error { return nil }) },
			"Read":     func() error { return errors.Join(rw.RLock(ctx), rw.RUnlock()) },
			"TryRead": func() error {
				ok, err := rw.TryRLock()
				if ok {
					err = rw.RUnlock()
				}
				return err
			},
			"Written":    func() error { return written.RLock(ctx) },
			"WriteHeld":  func() error { return written.Lock(ctx) },
			"TryWritten": func() error { return one(written.TryRLock()) },
			"Again":      func() error { h := re.NewHolder(); return nested(ctx, h, func() error { return nil }) },
			"AgainToo":   func() error { h := re.NewHolder(); return nested(ctx, h, func() error { return nil }) },
			"CondWait":   func() error { return nested(ctx, own.Holder(), func() error { return own.Wait(ctx) }) },
			"CondWaitFor": func() error {
				return nested(ctx, own.Holder(), func() error { return own.WaitFor(ctx, func() bool { return false }) })
			},
			"CondNotify": func() error { return tsync.With(ctx, own.Holder(), own.NotifyAll) },
			"OfWait":     func() error { return tsync.With(ctx, other, func() error { return of.Wait(ctx) }) },
			"OfNotify":   func() error { return tsync.With(ctx, other, func() error { return of.Notify(1) }) },
			"Acquire":    func() error { return errors.Join(sem.Acquire(ctx), sem.Release(1)) },
			"TryAcquire": func() error {
				ok, err := sem.TryAcquire()
				if ok {
					err = sem.Release(1)
				}
				return err
			},
			"NoneAcquire": func() error { return none.Acquire(ctx) },
			"Bound":       func() error { return errors.Join(bound.Acquire(ctx), bound.Release(1)) },
			"BoundToo":    func() error { return errors.Join(bound.Acquire(ctx), bound.Release(1)) },
			"Set":         func() error { return errors.Join(event.Set(), event.Clear()) },
			"EventWait":   func() error { return event.Wait(ctx) },
			"NeverWait":   func() error { return never.Wait(ctx) },
			"Any":         func() error { return one(shm.WaitAny(ctx, words, ticks, sem, event, left, reads, hears, idle)) },
			"AnyNever":    func() error { return one(shm.WaitAny(ctx, never, none, idle, waits)) },
			"Poll":        func() error { return idle.Poll(ctx) },
			"Party":       func() error { return ignore(one(bar.Wait(ctx)), tsync.ErrBroken) },
			"PartyToo":    func() error { return ignore(one(bar.Wait(ctx)), tsync.ErrBroken) },
			"Break":       func() error { return errors.Join(bar.Abort(), bar.Reset()) },
			"Alone":       func() error { return one(alone.Wait(ctx)) },
			"Once":        func() error { return ignore(once.Do(ctx, fails), failed) },
			"OnceToo":     func() error { return ignore(once.Do(ctx, fails), failed) },
			"Done":        func() error { return done.Do(ctx, func(context.Context) error { return nil }) },
			"Counts": func() error {
				re.Owner()
				rw.Owner()
				sem.Value()
				event.IsSet()
				bar.Waiting()
				bar.Broken()
				return nil
			},
			"OpenCond": func() error { return one(tsync.OpenCond(r, "of", other)) },
			"CellLock": func() error { return errors.Join(v.Lock(ctx), v.Unlock()) },
			"Add":      func() error { atomics.Add(v, 1); return nil },
			"Array":    func() error { a.CopyFrom(make([]int32, 100)); a.CopyTo(make([]int32, 100)); return nil },
			"Wide": func() error {
				wide.Update(3, func(x [5]int64) [5]int64 { x[0]++; x[4]--; return x })
				if x := wide.Load(3); x[0] != -x[4] {
					return fmt.Errorf("torn: %v", x)
				}
				wide.CopyFrom(make([][5]int64, 10))
				return nil
			},
			"WideLock": func() error { return errors.Join(wide.Lock(ctx), wide.Unlock()) },
			"Slice":    func() error { s[7]++; return nil },
			"Open":     func() error { return one(tsync.OpenMutex(r, "mu")) },
			"Make": func() error {
				return errors.Join(one(tsync.OpenMutex(r, "fleeting")), ignore(r.Remove("fleeting"), nil))
			},
			"Snapshot": func() error { return one(r.Snapshot()) },
			"Check":    func() error { return r.Check() },
			"File": func() error {
				f, err := r.File()
				if err == nil {
					f.Close()
				}
				return err
			},
			"Exits": func() error {
				for range r.Exits(ctx) {
				}
				return shm.ErrClosed
			},
			"Objects": func() error {
				for range r.Objects() {
				}
				r.Participants()
				r.Self()
				return nil
			},
		} {
			running.Add(1)
			ended.Add(1)
			go func() {
				defer ended.Done()
				running.Done()
				for {
					was := closed.Load()
					err := f()
					switch {
					case err == nil && was:
						return // what returns no error
					case err == nil:
					case !errors.Is(err, shm.ErrClosed) || errors.Is(err, shm.ErrCorrupt) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF):
						t.Errorf("%s: %v", what, err)
						return
					default:
						return
					}
				}
			}()
		}
		running.Wait()
		for alone.Waiting() == 0 { // what comes to it after Close breaks nothing
			if err := ctx.Err(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Microsecond)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		closed.Store(true)
		ended.Wait()
		if v.Load() != 0 || s[3] != 0 {
			t.Error("cells of a closed region are not zero")
		}

		again := testproc.Get(shm.Open(name, nil))(t)
		if err := again.Check(); err != nil {
			t.Error(err)
		}
		m := testproc.Get(tsync.OpenMutex(again, "held"))(t)
		if err := m.Lock(ctx); !errors.Is(err, shm.ErrOwnerDied) {
			t.Errorf("Lock of what was held at Close = %v, want ErrOwnerDied", err)
		}
		w := testproc.Get(tsync.OpenRWMutex(again, "written"))(t)
		if err := w.RLock(ctx); !errors.Is(err, shm.ErrOwnerDied) {
			t.Errorf("RLock of what was written at Close = %v, want ErrOwnerDied", err)
		}
		s2 := testproc.Get(tsync.OpenSemaphore(again, "sem", -1))(t)
		b2 := testproc.Get(tsync.OpenBoundedSemaphore(again, "bound", -1))(t)
		if s2.Value() != 2 || b2.Value() != 1 {
			t.Errorf("%d and %d permits, want 2 and 1", s2.Value(), b2.Value())
		}
		a2 := testproc.Get(tsync.OpenBarrier(again, "alone", 0, nil))(t)
		if !a2.Broken() || a2.Waiting() != 0 {
			t.Errorf("the barrier of one that waited at Close: broken %v, %d waiting", a2.Broken(), a2.Waiting())
		}
		if err := full.Publish(ctx, 2); !errors.Is(err, shm.ErrClosed) {
			t.Errorf("Publish after Close = %v", err)
		}
		f2 := testproc.Get(ring.OpenBroadcast[int64](again, "full", nil))(t)
		if err := f2.TryPublish(2); err != nil {
			t.Errorf("TryPublish to nobody: %v", err)
		}
		if _, err := ring.OpenPipe[int64](again, "pipe", ring.Left, nil); err != nil { // both ends are gone: it is made anew
			t.Error(err)
		}
		runtime.KeepAlive(unread)
		ran := 0
		o2, d2 := testproc.Get(tsync.OpenOnce(again, "once"))(t), testproc.Get(tsync.OpenOnce(again, "done"))(t)
		run := func(context.Context) error { ran++; return nil }
		if err := errors.Join(o2.Do(ctx, run), o2.Do(ctx, run)); err != nil || ran != 1 {
			t.Errorf("Once after Close: %v, run %d times", err, ran)
		}
		if err := d2.Do(ctx, run); err != nil || ran > 2 {
			t.Errorf("a Once that may be done: %v", err)
		}
		if err := errors.Join(again.Close(), shm.Remove(name)); err != nil {
			t.Fatal(err)
		}
	}
}

// nested calls f with h locked twice.
func nested(ctx context.Context, h *tsync.Holder, f func() error) error {
	if h == nil { // of a Cond in a closed region
		return shm.ErrClosed
	}
	return tsync.With(ctx, h, func() error { return tsync.With(ctx, h, f) })
}

// ignore is nil for the error that is expected, besides nil.
func ignore(err, expected error) error {
	if expected != nil && errors.Is(err, expected) {
		return nil
	}
	return err
}
