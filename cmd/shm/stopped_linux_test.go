package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A take is a call that takes what it is called on, or waits for it.
type take func(context.Context) error

// taken is all that a process can hold and others wait for, by the names of
// its objects.
var taken = map[string]func(r *shm.Region, name string) take{
	"mutex":   func(r *shm.Region, name string) take { return ok(sync.OpenMutex(r, name)).Lock },
	"rwmutex": func(r *shm.Region, name string) take { return ok(sync.OpenRWMutex(r, name)).Lock },
	"rmutex":  func(r *shm.Region, name string) take { return ok(sync.OpenRMutex(r, name)).NewHolder().Lock },
	"value":   func(r *shm.Region, name string) take { return ok(atomics.OpenValue(r, name, 1)).Lock },
	"wide":    func(r *shm.Region, name string) take { return ok(atomics.OpenValue(r, name, [3]int64{})).Lock },
	"array":   func(r *shm.Region, name string) take { return ok(atomics.OpenArray[int32](r, name, 4)).Lock },
	"permits": func(r *shm.Region, name string) take { return ok(sync.OpenSemaphore(r, name, 1)).Acquire },
	"bounded": func(r *shm.Region, name string) take { return ok(sync.OpenBoundedSemaphore(r, name, 1)).Acquire },
	"once": func(r *shm.Region, name string) take {
		o := ok(sync.OpenOnce(r, name))
		return func(ctx context.Context) error {
			running := make(chan error)
			go o.Do(ctx, func(context.Context) error {
				running <- nil
				select {}
			})
			return <-running
		}
	},
	"jobs": func(r *shm.Region, name string) take {
		q := ok(ring.OpenQueue[int64](r, name, &ring.QueueOptions{Capacity: 1}))
		q.TryPut(1)
		return func(ctx context.Context) error { _, err := q.Lease(ctx); return err }
	},
	"spsc": func(r *shm.Region, name string) take { // its consumer's side; others wait for a message
		q := ok(ring.OpenSPSC[int64](r, name, nil))
		get := func(ctx context.Context) error {
			_, err := q.TryGet()
			switch {
			case errors.Is(err, ring.ErrEmpty): // and has the side
				return nil
			case errors.Is(err, ring.ErrBusy):
				_, err = shm.WaitAny(ctx, q)
			}
			return err
		}
		keep = append(keep, get)
		return get
	},
	"news": func(r *shm.Region, name string) take { // by a subscriber that is behind; others wait to publish
		b := ok(ring.OpenBroadcast[int64](r, name, &ring.BroadcastOptions{Capacity: 1}))
		return func(ctx context.Context) error {
			if err := b.TryPublish(1); err != nil {
				return b.Publish(ctx, 1)
			}
			s, err := b.Subscribe()
			if err != nil {
				return err
			}
			keep = append(keep, func(ctx context.Context) error { _, _, err := s.Next(ctx); return err })
			return b.TryPublish(1)
		}
	},
	"pipe": func(r *shm.Region, name string) take { // with room for one message
		c := ok(ring.OpenPipe[[48]byte](r, name, ring.Left, &ring.PipeOptions{Buffer: 64}))
		send := func(ctx context.Context) error { return c.Send(ctx, [48]byte{}) }
		keep = append(keep, send)
		return send
	},
}

// awaited is what nobody holds.
var awaited = map[string]func(r *shm.Region, name string) take{
	"event": func(r *shm.Region, name string) take { return ok(sync.OpenEvent(r, name)).Wait },
	"barrier": func(r *shm.Region, name string) take {
		b := ok(sync.OpenBarrier(r, name, 5, nil))
		return func(ctx context.Context) error { _, err := b.Wait(ctx); return err }
	},
}

func ok[T any](v T, err error) T {
	testproc.Must(err)
	return v
}

// keep keeps open what is not held.
var keep []take

// holder holds all of them, and the directory's lock as well.
var holder = testproc.Role("holder", func(args []string) {
	sys.SetName("holder")
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	for name, open := range taken {
		testproc.Must(open(r, name)(context.Background()))
	}
	for name, open := range awaited {
		keep = append(keep, open(r, name))
	}
	r.OpenObject(object.Spec{Op: "test", Kind: engine.KindMutex, Name: "never",
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.MutexSize, func(mem.Area) { // this is called under the directory's lock
				testproc.Say("holds")
				testproc.Hear()
			}, nil
		}})
})

// waits has two calls that wait for each, and one for the directory's lock.
var waits = testproc.Role("waits", func(args []string) {
	sys.SetName("waiter")
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	for _, all := range []map[string]func(*shm.Region, string) take{taken, awaited} {
		for name, open := range all {
			for range 2 {
				wait := open(r, name)
				go wait(context.Background())
			}
		}
	}
	go sync.OpenMutex(r, "new")
	testproc.Say("here")
	testproc.Hear()
})

// Every lock is held by a stopped process, and another waits for every one.
// The tool answers at once, says who, and changes nothing.
func TestInspectBehindStoppedHolder(t *testing.T) {
	dir := testDir(t)
	r := testproc.Get(shm.Create("feed", &shm.Options{Size: 4 << 20, Participants: 8, Objects: 32}))(t)
	h := holder.Start(t, "feed")
	h.Expect("holds")
	h.Freeze()
	w := waits.Start(t, "feed")
	w.Expect("here")
	for name := range taken {
		shmtest.AwaitWaiting(t, r, name, 2)
	}
	for name := range awaited {
		shmtest.AwaitWaiting(t, r, name, 2)
	}
	for { // a call that waits for the directory's lock is not shown between two slices
		shmtest.AwaitWaiting(t, r, "", 1)
		if w.Freeze(); shmtest.Waiting(r, "") == 1 {
			break
		}
		w.Signal(syscall.SIGCONT)
	}
	if err := r.Close(); err != nil { // nothing moves any more
		t.Fatal(err)
	}
	path := filepath.Join(dir, "feed")
	before := sha256.Sum256(testproc.Get(os.ReadFile(path))(t))

	effort.Median(t, 100*time.Millisecond, 5, func() time.Duration { return shmTool(t, "inspect", "feed").took })

	text := shmTool(t, "inspect", "feed")
	heldBy, waitedBy := fmt.Sprintf("(holder, pid %d, stopped)", h.PID()), fmt.Sprintf("(waiter, pid %d, stopped): ", w.PID())
	for name := range taken {
		i := slices.IndexFunc(strings.Split(text.out, "\n"), func(l string) bool { return strings.HasPrefix(l, name+" ") })
		if i < 0 {
			t.Fatalf("no %s in\n%s", name, text.out)
		}
		line := strings.Split(text.out, "\n")[i]
		if !strings.Contains(line, "#1.1 "+heldBy) || !strings.Contains(line, "waited for by #2.1 "+waitedBy+"2 for ") {
			t.Errorf("%s: %s", name, line)
		}
		one := shmTool(t, "inspect", "feed", name)
		if one.status != 0 || !strings.Contains(one.out, heldBy) || !strings.Contains(one.out, waitedBy) {
			t.Errorf("%s: %d\n%s", name, one.status, one.out)
		}
	}
	if !strings.Contains(text.out, "being changed by #1.1 "+heldBy) || !strings.Contains(text.out, "waited for by #2.1 "+waitedBy+"1 for ") {
		t.Errorf("the directory's lock:\n%s", text.out)
	}

	var s shm.Snapshot
	asJSON := shmTool(t, "inspect", "feed", "--json")
	if err := json.Unmarshal([]byte(asJSON.out), &s); err != nil {
		t.Fatal(err)
	}
	for _, o := range s.Objects {
		by := o.Holders
		if o.Owner != nil {
			by = append(by, *o.Owner)
		}
		heldRight := slices.ContainsFunc(by, func(by shm.Holder) bool { return by.PID == h.PID() })
		if _, free := awaited[o.Name]; heldRight == free || len(o.Waits) != 1 || o.Waits[0].PID != w.PID() || o.Waits[0].N != 2 || o.Waits[0].Since.IsZero() {
			t.Errorf("%s: held by %+v, waited for by %+v", o.Name, by, o.Waits)
		}
	}
	if s.Object("mutex").Owner.Since.IsZero() {
		t.Error("since when the mutex is held is not known")
	}
	if d := s.Directory; len(s.Objects) != len(taken)+len(awaited) || d.Holder == nil || d.Holder.PID != h.PID() || len(d.Waits) != 1 || d.Waits[0].PID != w.PID() {
		t.Errorf("%d objects, directory %+v", len(s.Objects), d)
	}
	for _, args := range []string{"ls", "ls --json", "check feed"} {
		if r := shmTool(t, strings.Fields(args)...); r.status != 0 {
			t.Errorf("shm %s: %d, %q, %q", args, r.status, r.out, r.err)
		}
	}
	if after := sha256.Sum256(testproc.Get(os.ReadFile(path))(t)); after != before {
		t.Error("the file is not what it was")
	}
}
