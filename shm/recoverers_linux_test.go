package shm

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

// Recoverers that die themselves, live without getting anywhere, or cannot do
// what is to be done. Participants are bare: nothing looks or recovers but
// what a test calls.

// holdBare has a take the mutex called name.
func holdBare(t testing.TB, a *attachment, name string) *engine.Mutex {
	t.Helper()
	m, core, err := lockable(&Region{a: a, closed: new(atomic.Bool)}, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(core.KeepAlive)
	if ok, err := m.TryLock(); !ok || err != nil {
		t.Fatalf("TryLock = %v, %v", ok, err)
	}
	return m
}

// toRecover declares the participant of dead dead, and names by its recoverer.
func (by *attachment) toRecover(t testing.TB, dead *attachment) {
	t.Helper()
	r := by.rec(dead.self.Index)
	if w := r.Word(); region.Present(w) {
		by.declare(r, w, false)
	}
	if !by.nameRecoverer(r, dead.self.Epoch, by.name64(dead)) {
		t.Fatalf("record %d: %#x, recoverer %#x, cannot be claimed", r.I, r.Word(), mem.Load64(r.P64(region.RecRecoverer)))
	}
}

func (by *attachment) name64(dead *attachment) uint64 {
	return region.PackRecoverer(dead.self.Epoch, by.self.Index+1, by.self.Epoch)
}

// wantAbandoned fails unless the records are free and the mutexes abandoned.
func wantAbandoned(t testing.TB, r *Region, dead []*attachment, ms []*engine.Mutex) {
	t.Helper()
	for k, a := range dead {
		if w := r.a.rec(a.self.Index).Word(); w != region.RecordWord(a.self.Epoch, region.StFree) {
			t.Errorf("record %d: %#x, want it free in epoch %d", a.self.Index, w, a.self.Epoch)
		}
		if who, held := ms[k].Owner(); held || !ms[k].Abandoned() {
			t.Errorf("mutex of record %d: held %v by %v, abandoned %v", a.self.Index, held, who, ms[k].Abandoned())
		}
	}
}

// orders are the permutations of 0 to n-1.
func orders(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, o := range orders(n - 1) {
		for k := range n {
			all = append(all, slices.Insert(slices.Clone(o), k, n-1))
		}
	}
	return all
}

// Of three dead, the second was to recover the first, and the third the second;
// whatever their records are, one who comes finds and recovers all of them.
func TestDeadRecoverersInAnyOrder(t *testing.T) {
	for _, find := range []struct {
		name string
		all  func(t *testing.T, r *Region)
	}{
		{"scan", func(t *testing.T, r *Region) { bare(t, r).scan() }},
		{"look", func(t *testing.T, r *Region) { bare(t, r).look() }},
		{"attach", func(t *testing.T, r *Region) { // to a region that is full
			a := bare(t, r)
			bare(t, r)
			bare(t, r)
			a.scan()
		}},
	} {
		for _, order := range orders(3) {
			t.Run(fmt.Sprintf("%s %v", find.name, order), func(t *testing.T) {
				places := 5
				if find.name == "attach" {
					places = 4
				}
				r := unguarded(t, &Options{Participants: places})
				dead := make([]*attachment, 3)
				ms := make([]*engine.Mutex, 3)
				for k := range dead {
					dead[k] = bare(t, r)
					ms[k] = holdBare(t, dead[k], fmt.Sprint("m", k))
				}
				for k := range 2 {
					dead[order[k]].die()
					dead[order[k+1]].toRecover(t, dead[order[k]])
				}
				dead[order[2]].die()
				find.all(t, r)
				if find.name == "attach" {
					for k := range ms {
						if who, held := ms[k].Owner(); held || !ms[k].Abandoned() {
							t.Errorf("mutex %d: held %v by %v, abandoned %v", k, held, who, ms[k].Abandoned())
						}
					}
					return
				}
				wantAbandoned(t, r, dead, ms)
			})
		}
	}
}

// A living recoverer is left alone, however often one looks.
func TestLivingRecovererIsLeftAlone(t *testing.T) {
	r := unguarded(t, &Options{Participants: 4})
	dead, at := bare(t, r), bare(t, r)
	m := holdBare(t, dead, "m")
	dead.die()
	at.toRecover(t, dead)
	c := bare(t, r)
	for range 3 {
		c.scan()
		c.look()
	}
	if who, held := m.Owner(); !held || who != dead.self {
		t.Errorf("held %v by %v while its recoverer has not come to it", held, who)
	}
	if v := mem.Load64(c.rec(dead.self.Index).P64(region.RecRecoverer)); v != at.name64(dead) {
		t.Errorf("recoverer %#x, want %#x", v, at.name64(dead))
	}
	at.scan() // goes on with it
	wantAbandoned(t, r, []*attachment{dead}, []*engine.Mutex{m})
}

// A recoverer whose build lacks a kind steps back, for one who has it; and does
// not come again and again.
func TestUnknownKindIsLeftToOthers(t *testing.T) {
	for _, how := range []string{"scan", "look"} {
		t.Run(how, func(t *testing.T) {
			r := unguarded(t, nil)
			dead := bare(t, r)
			m := holdBare(t, dead, "known")
			unknown := holdBare(t, dead, "new")
			kind := r.a.Ent32(mustFind(t, r, "new"), region.EntKind)
			mem.Store32(kind, 999) // as builds see it that do not know it
			dead.die()
			rec := r.a.rec(dead.self.Index)
			changes := func() uint32 { return mem.Load32(r.a.W32(region.HdrChanges)) }

			older := bare(t, r)
			if how == "scan" {
				older.scan()
			} else {
				older.look()
			}
			if w := rec.Word(); w != region.RecordWord(dead.self.Epoch, region.StDead) {
				t.Fatalf("record %#x, want it dead in epoch %d", w, dead.self.Epoch)
			}
			if de, index1, _ := region.UnpackRecoverer(mem.Load64(rec.P64(region.RecRecoverer))); de == dead.self.Epoch && index1 != 0 {
				t.Errorf("its recoverer is %d still, who cannot recover it", index1)
			}
			older.scan()
			e := r.a.Entry(mustFind(t, r, "known"))
			word := r.a.W64(e.Off) // every recovery changes it
			was, before := changes(), mem.Load64(word)
			for range 5 {
				older.scan()
				older.look()
			}
			if n := changes(); n != was {
				t.Errorf("%d changes more by one who cannot change anything", n-was)
			}
			if mem.Load64(word) != before {
				t.Error("the objects of known kinds were recovered again and again")
			}

			mem.Store32(kind, uint32(engine.KindMutex)) // as the next sees it
			bare(t, r).look()
			wantAbandoned(t, r, []*attachment{dead, dead}, []*engine.Mutex{m, unknown})

			// The next death in that record is another matter.
			next := bare(t, r)
			for next.self.Index != dead.self.Index {
				next = bare(t, r)
			}
			m = holdBare(t, next, "another")
			next.die()
			older.due()
			if how == "scan" {
				older.scan()
			} else {
				older.look()
			}
			wantAbandoned(t, r, []*attachment{next}, []*engine.Mutex{m})
		})
	}
}

// So does one that comes to a full region, and would have had the record.
func TestUnknownKindIsLeftByNewcomers(t *testing.T) {
	r := unguarded(t, &Options{Participants: 2})
	dead := bare(t, r)
	m := holdBare(t, dead, "m")
	kind := r.a.Ent32(mustFind(t, r, "m"), region.EntKind)
	mem.Store32(kind, 999)
	dead.die()
	older := newBare(t, r)
	if _, err := older.takeRecord(soon()); !errors.Is(err, ErrTooManyParticipants) {
		t.Fatalf("takeRecord = %v where the only place cannot be recovered", err)
	}
	rec := r.a.rec(dead.self.Index)
	if _, index1, _ := region.UnpackRecoverer(mem.Load64(rec.P64(region.RecRecoverer))); region.StateOf(rec.Word()) != region.StDead || index1 != 0 {
		t.Errorf("record %#x, recoverer %d, want it dead and nobody's", rec.Word(), index1)
	}
	mem.Store32(kind, uint32(engine.KindMutex))
	if newer := bare(t, r); newer.self.Index != dead.self.Index {
		t.Errorf("the newcomer has record %d, want %d", newer.self.Index, dead.self.Index)
	}
	if who, held := m.Owner(); held || !m.Abandoned() {
		t.Errorf("held %v by %v, abandoned %v", held, who, m.Abandoned())
	}
}

func mustFind(t testing.TB, r *Region, name string) uint32 {
	t.Helper()
	e, ok, err := r.a.Find(region.HashName(name), name)
	if !ok || err != nil {
		t.Fatalf("find %s: %v, %v", name, ok, err)
	}
	return e.I
}

// While the one place is being recovered, or left, a newcomer waits for it.
func TestNewcomerWaitsForAPlace(t *testing.T) {
	for _, tt := range []struct {
		name string
		from func(t *testing.T, r *Region) (then func())
	}{
		{"being recovered", func(t *testing.T, r *Region) func() {
			dead := bare(t, r)
			dead.die()
			r.a.toRecover(t, dead)
			rec, w := r.a.rec(dead.self.Index), region.RecordWord(dead.self.Epoch, region.StDead)
			return func() { // the newcomer may just be trying, with the byte that is the proof
				for rec.Word() == w {
					r.a.scan()
				}
			}
		}},
		{"leaving", func(t *testing.T, r *Region) func() {
			a := bare(t, r)
			a.rec(a.self.Index).Move(region.RecordWord(a.self.Epoch, region.StAlive), region.RecordWord(a.self.Epoch, region.StLeaving))
			return a.goAway
		}},
		{"left, but for its byte", func(t *testing.T, r *Region) func() {
			a := bare(t, r)
			a.leave(a.self, a.env, func() {})
			return a.die
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := unguarded(t, &Options{Participants: 2})
			then := tt.from(t, r)
			done := make(chan error, 1)
			go func() {
				a := newBare(t, r)
				_, err := a.takeRecord(soon())
				done <- err
			}()
			select {
			case err := <-done:
				t.Fatalf("a newcomer ended with %v before the place was free", err)
			case <-time.After(20 * time.Millisecond):
			}
			then()
			if err := <-done; err != nil {
				t.Errorf("a newcomer got %v", err)
			}
		})
	}
}

// While it waits a newcomer tries once to recover who has died, and no more.
func TestNewcomerTriesOnce(t *testing.T) {
	r := unguarded(t, &Options{Participants: 3})
	dead, leaving := bare(t, r), bare(t, r)
	holdBare(t, dead, "known")
	holdBare(t, dead, "new")
	mem.Store32(r.a.Ent32(mustFind(t, r, "new"), region.EntKind), 999)
	dead.die()
	leaving.rec(leaving.self.Index).Move(region.RecordWord(leaving.self.Epoch, region.StAlive), region.RecordWord(leaving.self.Epoch, region.StLeaving))

	e := r.a.Entry(mustFind(t, r, "known"))
	word := r.a.W64(e.Off) // every recovery changes it
	before := mem.Load64(word)
	done := make(chan error, 1)
	go func() {
		_, err := newBare(t, r).takeRecord(soon())
		done <- err
	}()
	moved := func(from uint64, limit time.Duration) bool {
		for end := time.Now().Add(limit); mem.Load64(word) == from && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		return mem.Load64(word) != from
	}
	if !moved(before, testproc.Patience) {
		t.Error("it does not try at all")
	}
	once := mem.Load64(word)
	if moved(once, 50*time.Millisecond) { // many turns
		t.Error("the objects of known kinds are recovered again and again")
	}
	leaving.goAway()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Where nothing is about to be free, a newcomer hears so at once, and why.
func TestNoPlaceIsSaidAtOnce(t *testing.T) {
	r := unguarded(t, &Options{Participants: 3})
	bare(t, r)
	last := bare(t, r)
	holdBare(t, last, "new")
	full := func(want string) {
		t.Helper()
		_, err := newBare(t, r).takeRecord(soon())
		if !errors.Is(err, ErrTooManyParticipants) || !strings.Contains(err.Error(), want) {
			t.Errorf("takeRecord = %v, want %q", err, want)
		}
	}
	full("3 participants, all of them alive")
	mem.Store32(r.a.Ent32(mustFind(t, r, "new"), region.EntKind), 999)
	last.die()
	full("3 participants, 2 of them alive")
}

// Of a death hears first who sleeps on what the dead one held: while that is
// being recovered no listener has been told, neither in the process that does it
// nor in others.
func TestHeldIsRecoveredBeforeTheEndIsTold(t *testing.T) {
	r := unguarded(t, nil)
	looker, dead := bare(t, r), bare(t, r)
	holdBare(t, dead, "m")
	sub := &exits{ready: make(chan struct{}, 1), watch: &looker.watch}
	looker.beginTelling(sub)
	looker.look()
	ends := func() uint32 { return mem.Load32(r.a.W32(region.HdrEnds)) }
	before, woken := ends(), 0
	looker.env.Wake = func(*uint32, int) int {
		if woken++; ends() != before || len(sub.queue) != 0 {
			t.Errorf("before who sleeps on what it held others are told %d times, and here %d listeners", ends()-before, len(sub.queue))
		}
		return 0
	}
	dead.suspected()
	dead.die()
	looker.look()
	if woken == 0 {
		t.Error("nobody was woken who slept on what it held")
	}
	if ends() != before+1 || len(sub.queue) != 1 {
		t.Fatalf("then others are told %d times, and here %d listeners, want once, and one", ends()-before, len(sub.queue))
	}
	if p := sub.queue[0]; p.State != Dead || p.Index != int(dead.self.Index) || p.PID != os.Getpid() {
		t.Errorf("told of %+v", p)
	}
}
