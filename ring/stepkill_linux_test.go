package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what a Queue can do, in all
// the states a queue can be in. Messages have numbers; the survivors account
// for each.

func init() { stepkill.Main() }

// numbers is a queue of numbered messages, whatever their type. It holds four.
type numbers struct {
	cap      int
	tryPut   func(n int) error
	get      func(ctx context.Context) (int, error)
	tryLease func() (lent, error)

	// For the victim, with as little beside the operation as can be.
	put   func(ctx context.Context, n int) error // one of ready
	drop  func(ctx context.Context) error        // Get
	lease func(ctx context.Context) (lent, error)

	shutdown func() error
	taskDone func() error
	join     func(context.Context) error
	len      func() int
}

// lent is a message on lease.
type lent struct {
	n, attempt int
	ack, nack  func() error
}

type openNumbers func(r *shm.Region, name string) (*numbers, error)

func numbered[T any](o ring.QueueOptions, pack func(n int) T, unpack func(T) (int, error)) openNumbers {
	return func(r *shm.Region, name string) (*numbers, error) {
		q, err := ring.OpenQueue[T](r, name, &o)
		if err != nil {
			return nil, err
		}
		ready := make([]T, 202)
		for _, n := range []int{1, 2, 3, 101, 102, 200} {
			ready[n] = pack(n)
		}
		return &numbers{
			cap:    q.Cap(),
			put:    func(ctx context.Context, n int) error { return q.Put(ctx, ready[n]) },
			tryPut: func(n int) error { return q.TryPut(pack(n)) },
			drop:   func(ctx context.Context) error { _, err := q.Get(ctx); return err },
			get: func(ctx context.Context) (int, error) {
				v, err := q.Get(ctx)
				if err != nil {
					return 0, err
				}
				return unpack(v)
			},
			lease: func(ctx context.Context) (lent, error) {
				d, err := q.Lease(ctx)
				return lent{ack: d.Ack, nack: d.Nack}, err
			},
			tryLease: func() (lent, error) {
				d, err := q.TryLease()
				if err != nil {
					return lent{}, err
				}
				n, err := unpack(d.Value())
				return lent{n, d.Attempt(), d.Ack, d.Nack}, err
			},
			shutdown: q.Shutdown,
			taskDone: q.TaskDone,
			join:     q.Join,
			len:      q.Len,
		}, nil
	}
}

const holds = 4 // messages, in either form

var stepForms = map[string]openNumbers{
	// The message lies in its slot.
	"slot": numbered(ring.QueueOptions{Capacity: holds},
		func(n int) [2]int64 { return [2]int64{int64(n), int64(-n)} },
		func(v [2]int64) (int, error) {
			if v[0] != -v[1] {
				return 0, fmt.Errorf("torn message %v", v)
			}
			return int(v[0]), nil
		}),
	// It takes two of eight blocks. It is blank but for its number at both
	// ends: each change of a byte is one more instruction to die at.
	"blocks": numbered(ring.QueueOptions{Capacity: 2 * holds, Buffer: 4096, MaxMessage: 1024},
		func(n int) string { return fmt.Sprintf("%03d%s%03d", n, strings.Repeat("\x00", 894), n) },
		func(s string) (int, error) {
			n, err := strconv.Atoi(s[:min(len(s), 3)])
			if err != nil || s != fmt.Sprintf("%03d%s%03d", n, strings.Repeat("\x00", 894), n) {
				return 0, fmt.Errorf("torn message %q", s)
			}
			return n, nil
		}),
}

// What the victim does to the messages that are there.
type effect int

const (
	puts  effect = iota // numbers from 101 on
	takes               // so many are gone
	tries               // so many have had an attempt; all are there
	ends                // shuts the queue down
)

// A scene is a state of a queue and what a victim does then.
type scene struct {
	name string

	// What is there: messages 1 to n, of which this process has leased some
	// and has got, or given back, others.
	n, leased, gotten, returned int
	shut                        bool

	prepare func(q *numbers) ([]lent, error) // in the victim
	does    effect
	times   int
	do      func(q *numbers, held []lent) error // notes each time

	getters, putters int              // peers that are asleep in Get and in Put
	wake             func(q *numbers) // when the victim is asleep
}

// times has the victim do something so often, and note each time.
func times(n int, do func(i int) error) error {
	for i := range n {
		if err := do(i); err != nil {
			return err
		}
		stepkill.Note(i + 1)
	}
	return nil
}

var background = context.Background()

func putTwo(q *numbers, _ []lent) error {
	return times(2, func(i int) error { return q.put(background, 101+i) })
}

func putOne(q *numbers, _ []lent) error {
	return times(1, func(i int) error { return q.put(background, 101+i) })
}

func getOne(q *numbers, _ []lent) error {
	return times(1, func(int) error { return q.drop(background) })
}

func getTwo(q *numbers, _ []lent) error {
	return times(2, func(int) error { return q.drop(background) })
}

func leaseAck(q *numbers, _ []lent) error {
	return times(2, func(int) error {
		d, err := q.lease(background)
		if err != nil {
			return err
		}
		return d.ack()
	})
}

func leaseNack(q *numbers, _ []lent) error {
	return times(2, func(int) error {
		d, err := q.lease(background)
		if err != nil {
			return err
		}
		return d.nack()
	})
}

func leaseTwo(q *numbers, _ []lent) error {
	return times(2, func(int) error { _, err := q.lease(background); return err })
}

func ackAll(_ *numbers, held []lent) error {
	return times(len(held), func(i int) error { return held[i].ack() })
}

func nackAll(_ *numbers, held []lent) error {
	return times(len(held), func(i int) error { return held[i].nack() })
}

func shutDown(q *numbers, _ []lent) error {
	return times(1, func(int) error { return q.shutdown() })
}

func getToEnd(q *numbers, _ []lent) error {
	if err := getOne(q, nil); err != nil {
		return err
	}
	if err := q.drop(background); !errors.Is(err, io.EOF) {
		return fmt.Errorf("Get at the end = %v", err)
	}
	return nil
}

func holdTwo(q *numbers) (held []lent, err error) {
	for range 2 {
		d, err := q.lease(background)
		if err != nil {
			return nil, err
		}
		held = append(held, d)
	}
	return held, nil
}

func putsOne(q *numbers)  { q.tryPut(150) }
func acksOne(q *numbers)  { takeOne(q) }
func putsAlso(q *numbers) { q.tryPut(150); q.tryPut(151) }

var scenes = []scene{
	{name: "put, empty", does: puts, times: 2, do: putTwo},
	{name: "put, part full", n: 2, does: puts, times: 2, do: putTwo},
	{name: "put, full", n: 4, does: puts, times: 1, do: putOne, wake: acksOne},
	{name: "put, a getter asleep", does: puts, times: 2, do: putTwo, getters: 1},
	{name: "put, leases out", n: 4, leased: 2, gotten: 2, does: puts, times: 2, do: putTwo},
	{name: "put, returned behind the head", n: 4, returned: 1, gotten: 3, does: puts, times: 2, do: putTwo},
	{name: "get, full", n: 4, does: takes, times: 2, do: getTwo},
	{name: "get, part full", n: 2, does: takes, times: 2, do: getTwo},
	{name: "get, empty", does: takes, times: 1, do: getOne, wake: putsOne},
	{name: "get, full, a putter asleep", n: 4, does: takes, times: 2, do: getTwo, putters: 1},
	{name: "get, leases out", n: 4, leased: 2, does: takes, times: 2, do: getTwo},
	{name: "get, returned", n: 4, returned: 2, does: takes, times: 2, do: getTwo},
	{name: "get, to the end", n: 1, shut: true, does: takes, times: 1, do: getToEnd},
	{name: "lease and ack", n: 3, does: takes, times: 2, do: leaseAck},
	{name: "lease and nack", n: 3, does: tries, times: 2, do: leaseNack},
	{name: "lease, empty", does: tries, times: 2, do: leaseTwo, wake: putsAlso},
	{name: "lease, a putter asleep", n: 4, does: tries, times: 2, do: leaseTwo, putters: 1},
	{name: "ack, leases out", n: 4, leased: 1, prepare: holdTwo, does: takes, times: 2, do: ackAll},
	{name: "ack, a putter asleep", n: 4, prepare: holdTwo, does: takes, times: 2, do: ackAll, putters: 1},
	{name: "nack, a getter asleep", n: 2, prepare: holdTwo, does: tries, times: 2, do: nackAll, getters: 1},
	{name: "nack, leases out", n: 4, leased: 1, prepare: holdTwo, does: tries, times: 2, do: nackAll},
	{name: "shutdown, part full", n: 2, leased: 1, does: ends, times: 1, do: shutDown},
	{name: "shutdown, getters asleep", n: 1, leased: 1, does: ends, times: 1, do: shutDown, getters: 2},
	{name: "shutdown, full, a putter asleep", n: 4, does: ends, times: 1, do: shutDown, putters: 1},
}

// sceneOps has the victims of all scenes in all forms; a victim needs them
// registered before it knows which it is.
var (
	sceneOps = map[string]stepkill.Op{}
	getPeers = map[string]stepkill.Op{}
	putPeers = map[string]stepkill.Op{}
	_        = registerScenes()
)

func registerScenes() bool {
	for form, open := range stepForms {
		for _, sc := range scenes {
			sceneOps[form+sc.name] = stepkill.Register("queue of "+form+": "+sc.name, func(r *shm.Region) (func() error, error) {
				q, err := open(r, "rehearsal")
				if err == nil {
					err = rehearse(q)
				}
				if err != nil {
					return nil, err
				}
				if q, err = open(r, "q"); err != nil {
					return nil, err
				}
				var held []lent
				if sc.prepare != nil {
					held, err = sc.prepare(q)
				}
				return func() error { return sc.do(q, held) }, err
			})
		}
		// A getter notes what it got; -1 for the end.
		getPeers[form] = stepkill.Register("peer gets of "+form, func(r *shm.Region) (func() error, error) {
			q, err := open(r, "q")
			return func() error {
				n, err := q.get(background)
				if errors.Is(err, io.EOF) {
					n, err = -1, nil
				} else if err == nil {
					err = q.taskDone()
				}
				stepkill.Note(n)
				return err
			}, err
		})
		// A putter puts 200, and notes -1 if it may not.
		putPeers[form] = stepkill.Register("peer puts of "+form, func(r *shm.Region) (func() error, error) {
			q, err := open(r, "q")
			return func() error {
				err := q.put(background, 200)
				if errors.Is(err, ring.ErrShutdown) {
					stepkill.Note(-1)
					return nil
				}
				return err
			}, err
		})
	}
	return true
}

// rehearse does everything once that a victim may do.
func rehearse(q *numbers) error {
	for n := range 3 {
		if err := q.put(background, n+1); err != nil {
			return err
		}
	}
	if err := q.drop(background); err != nil {
		return err
	}
	for range 2 {
		d, err := q.lease(background)
		if err == nil {
			err = d.nack()
		}
		if err == nil {
			d, err = q.lease(background)
		}
		if err == nil {
			err = d.ack()
		}
		if err != nil {
			return err
		}
	}
	return q.shutdown()
}

// takeOne takes a message that is there for good.
func takeOne(q *numbers) (lent, error) {
	d, err := q.tryLease()
	if err == nil {
		err = d.ack()
	}
	return d, err
}

func TestQueueKilledAnywhere(t *testing.T) {
	for form := range stepForms {
		for _, sc := range scenes {
			t.Run(form+": "+sc.name, func(t *testing.T) {
				stepkill.Every(t, sceneOps[form+sc.name], func(t *testing.T, s *stepkill.Stage) {
					play(t, s, form, sc)
				})
			})
		}
	}
}

// play is one death in a scene.
func play(t *testing.T, s *stepkill.Stage, form string, sc scene) {
	q, err := stepForms[form](s.Region, "q")
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// The scene. Positions are such that what is put next meets the slots of
	// the leased ones.
	for range q.cap - holds {
		must(q.tryPut(999))
		_, err := takeOne(q)
		must(err)
	}
	there := map[int]bool{}
	for n := 1; n <= sc.n; n++ {
		must(q.tryPut(n))
		there[n] = true
	}
	attempts := map[int]int{} // that were had
	var mine, back []lent
	for range sc.leased + sc.returned {
		d, err := q.tryLease()
		must(err)
		mine = append(mine, d)
	}
	for range sc.gotten {
		d, err := takeOne(q)
		must(err)
		delete(there, d.n)
	}
	mine, back = mine[:sc.leased], mine[sc.leased:]
	for _, d := range back {
		must(d.nack())
		attempts[d.n]++
	}
	if sc.shut {
		must(q.shutdown())
	}
	var getters, putters []*stepkill.Peer
	s.OnReady(func() {
		for range sc.getters {
			getters = append(getters, s.StartBlocked(getPeers[form]))
		}
		for range sc.putters {
			putters = append(putters, s.StartBlocked(putPeers[form]))
		}
		for _, p := range slices.Concat(getters, putters) {
			p.Asleep()
		}
	})
	seen := map[int]int{} // by the survivors: number and attempt
	ordered := []int{}    // first attempts, as they came
	take := func(d lent) {
		t.Helper()
		if seen[d.n] != 0 {
			t.Errorf("message %d came twice", d.n)
		}
		if d.attempt <= attempts[d.n] {
			t.Errorf("message %d came with attempt %d after %d", d.n, d.attempt, attempts[d.n])
		}
		seen[d.n] = d.attempt
		if d.attempt == 1 {
			ordered = append(ordered, d.n)
		}
	}
	var wake func()
	if sc.wake != nil {
		wake = func() {
			if sc.does == puts { // room is what it waits for
				if d, err := takeOne(q); err != nil {
					t.Errorf("to make room: %v", err)
				} else {
					take(d)
				}
				return
			}
			sc.wake(q)
			there[150] = true
			if sc.times == 2 {
				there[151] = true
			}
		}
	}

	d := s.Die(wake)

	// Afterwards. The survivors do nothing that would wake a sleeper until it
	// has had its chance: what the victim has done, or its recovery, must.
	ctx := stepkill.Watchdog(t)
	until := func(what string, ok func() bool) {
		t.Helper()
		for ; !ok(); time.Sleep(50 * time.Microsecond) {
			if ctx.Err() != nil {
				t.Fatalf("after a death %v: %s; seen %v", d, what, seen)
			}
		}
	}
	until("it has not been recovered", func() bool {
		return len(s.Region.Participants()) == 1+len(getters)+len(putters)
	})
	shut := sc.shut
	if sc.does == ends {
		shut = true
		switch err := q.tryPut(160); {
		case err == nil:
			there[160] = true
			fallthrough
		case errors.Is(err, ring.ErrFull): // the victim has not come so far
			must(q.shutdown())
		case !errors.Is(err, ring.ErrShutdown):
			t.Error(err)
		}
	}
	for _, l := range mine {
		must(l.ack())
		take(lent{n: l.n, attempt: l.attempt})
	}
	for i, p := range getters {
		until("a getter sleeps", func() bool {
			if n := 300 + i; !shut && q.len() == 0 && !there[n] { // there is something for each, then
				must(putPatiently(ctx, q, n, take))
				there[n] = true
			}
			return p.Returned()
		})
	}
	for _, p := range putters {
		if shut || sc.does == takes && d.Note > 0 { // there is room
			until("a putter sleeps", p.Returned)
		}
	}
	for done := false; !done; time.Sleep(50 * time.Microsecond) {
		if ctx.Err() != nil {
			t.Fatalf("after a death %v: a putter sleeps; seen %v", d, seen)
		}
		done = true // if it was so before the last look
		for _, p := range putters {
			done = p.Returned() && done
		}
		for {
			l, err := takeOne(q)
			if errors.Is(err, ring.ErrEmpty) || shut && errors.Is(err, io.EOF) {
				break
			}
			must(err)
			take(l)
			done = false
		}
	}
	untold := 0
	for _, p := range getters {
		switch n := p.Note(); {
		case n == -1 && shut:
		case n > 0 && seen[n] == 0:
			seen[n] = 1 // or more: Get does not tell
			if n <= sc.n {
				untold++
			}
		default:
			t.Errorf("a getter that slept got %d", n)
		}
	}
	for _, p := range putters {
		if p.Note() != -1 {
			there[200] = true
		} else if !shut {
			t.Error("a putter that slept was told of a shutdown")
		}
	}

	// The account.
	low, high := d.Note, min(d.Note+1, sc.times)
	if d.Returned {
		low = sc.times
	}
	check := func(what string, n int) {
		t.Helper()
		if n < low || n > high {
			t.Errorf("after a death %v: %s %d, want %d to %d; there were %v, seen %v", d, what, n, low, high, there, seen)
		}
	}
	lost, put, tried := 0, 0, 0
	for n := range there {
		if seen[n] == 0 {
			lost++
		}
	}
	for n, attempt := range seen {
		if n > 100 && n <= 100+sc.times {
			put++
			if !there[n-1] && n > 101 && seen[n-1] == 0 {
				t.Errorf("message %d is there without the one before it", n)
			}
		} else if !there[n] {
			t.Errorf("message %d was never put", n)
		}
		tried += attempt - 1 - attempts[n]
	}
	switch sc.does {
	case puts:
		check("messages put", put)
	case takes:
		check("messages taken", lost)
	case tries:
		if tried += untold; tried < low {
			t.Errorf("after a death %v: %d messages of a higher attempt, want %d at least; seen %v", d, tried, low, seen)
		}
	}
	if sc.does != takes && lost != 0 {
		t.Errorf("after a death %v: %d messages lost; there were %v, seen %v", d, lost, there, seen)
	}
	if sc.does != tries && sc.does != takes && tried != 0 {
		t.Errorf("after a death %v: a higher attempt of what nobody took: %v", d, seen)
	}
	if sc.does == puts && !slices.IsSorted(ordered) {
		t.Errorf("after a death %v: messages come as %v", d, ordered)
	}
	whole(t, ctx, q, shut)
}

// putPatiently puts n, taking messages where there is no room.
func putPatiently(ctx context.Context, q *numbers, n int, take func(lent)) error {
	for ctx.Err() == nil {
		err := q.tryPut(n)
		if !errors.Is(err, ring.ErrFull) {
			return err
		}
		if d, err := takeOne(q); err == nil {
			take(d)
		}
	}
	return ctx.Err()
}

// whole checks that an empty queue takes all it can hold, gives it back, and
// ends.
func whole(t *testing.T, ctx context.Context, q *numbers, shut bool) {
	t.Helper()
	if !shut {
		for round := range 3 {
			for n := range holds {
				if err := q.tryPut(400 + n); err != nil {
					t.Fatalf("round %d: message %d of %d: %v", round, n+1, holds, err)
				}
			}
			if err := q.tryPut(500); !errors.Is(err, ring.ErrFull) {
				t.Errorf("message %d of %d: %v", holds+1, holds, err)
			}
			for n := range holds {
				if d, err := takeOne(q); err != nil || d.n != 400+n || d.attempt != 1 {
					t.Fatalf("round %d: message %d, attempt %d, %v; want %d", round, d.n, d.attempt, err, 400+n)
				}
			}
		}
		if err := q.shutdown(); err != nil {
			t.Error(err)
		}
	}
	if _, err := q.get(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("Get after Shutdown = %v, want io.EOF", err)
	}
	if err := q.join(ctx); err != nil {
		t.Errorf("Join = %v", err)
	}
}

// Recovery: a process holds two of four messages on lease, has got a third,
// and dies. Who recovers it dies over that, and the next one finishes.
var (
	queueLeft    = map[string]stepkill.Op{}
	openRecovers = stepkill.RegisterOpen("open recovers a queue")
	guardHeals   = map[string]stepkill.Op{}
	_            = registerRecovery()
)

func registerRecovery() bool {
	for form, open := range stepForms {
		queueLeft[form] = stepkill.Register("peer leaves a queue of "+form, func(r *shm.Region) (func() error, error) {
			q, err := open(r, "q")
			return func() error {
				_, err := holdTwo(q)
				return errors.Join(err, q.drop(background))
			}, err
		})
		guardHeals[form] = stepkill.RegisterGuard("guard recovers a queue of "+form, func(r *shm.Region) error {
			_, err := open(r, "q")
			return err
		})
	}
	return true
}

func TestQueueRecoveryKilledAnywhere(t *testing.T) {
	for _, tt := range []struct {
		form, by string
		op       stepkill.Op
		records  int // 1: the one that attaches must recover to get one
	}{
		{"blocks", "open", openRecovers, 1},
		{"slot", "guard", guardHeals["slot"], 4},
	} {
		t.Run(tt.form+" by "+tt.by, func(t *testing.T) {
			open := stepForms[tt.form]
			stepkill.EveryRecovery(t, tt.op, tt.records, func(t *testing.T, r *shm.Region) {
				q, err := open(r, "q")
				for n := 1; n <= holds && err == nil; n++ {
					err = q.tryPut(n)
				}
				if err != nil {
					t.Fatal(err)
				}
			}, queueLeft[tt.form], func(t *testing.T, r *shm.Region, d stepkill.Death) {
				q, err := open(r, "q")
				if err != nil {
					t.Fatal(err)
				}
				seen := map[int]int{}
				for range holds - 1 {
					l, err := takeOne(q)
					if err != nil {
						t.Fatalf("after a death %v: %v; seen %v", d, err, seen)
					}
					seen[l.n] = l.attempt
				}
				if want := (map[int]int{1: 2, 2: 2, 4: 1}); !maps.Equal(seen, want) {
					t.Errorf("after a death %v: messages and attempts %v, want %v", d, seen, want)
				}
				whole(t, stepkill.Watchdog(t), q, false)
			})
		})
	}
}
