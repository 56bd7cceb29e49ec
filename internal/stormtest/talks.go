package stormtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Speakers publish numbered messages by two broadcasts: one whose messages are plain and
// one whose messages vary in length, with little memory. An audience, which nobody kills,
// sees all; guests subscribe and leave.
//
// What each of the audience has received and missed is together what came into the ring; of
// a Reliable broadcast nobody has missed anything. What came is at least what Publishes
// returned, and at most what they began.
type (
	utterance struct {
		By, N int64
		Check [3]int64
	}

	talk[T any] struct {
		b    *ring.Broadcast[T]
		make func(by, n int64) T
		of   func(T) (by, n int64, whole bool)
	}
)

// Speakers is how many there may be in one storm: those that take the place of killed ones
// included.
const Speakers = 1 << 14

// How the broadcasts are called.
const (
	PlainTalk = "talk-plain"
	TextTalk  = "talk-text"
)

const (
	longestTalk = 1008
	filling     = 2 // of the longest are all the memory that there is
)

// Talks are one process's handles.
type Talks struct {
	plain       talk[utterance]
	text        talk[[]byte]
	begun, told *atomics.Array[int64] // by speaker: messages, and those that Publish said were published
	stop        *atomics.Value[int32]
	filled      uint64 // messages of Shutdown
}

// OpenTalks finds the broadcasts of a storm, or makes them: of modes 0 what is there.
func OpenTalks(r *shm.Region, plain, text ring.BroadcastMode) (*Talks, error) {
	k := &Talks{
		plain: talk[utterance]{
			make: func(by, n int64) utterance { return utterance{by, n, [3]int64{n, by, n}} },
			of:   func(u utterance) (int64, int64, bool) { return u.By, u.N, u.Check == [3]int64{u.N, u.By, u.N} },
		},
		text: talk[[]byte]{make: newTalk, of: ofTalk},
	}
	var errs [5]error
	k.plain.b, errs[0] = ring.OpenBroadcast[utterance](r, PlainTalk, &ring.BroadcastOptions{Mode: plain, Capacity: 16})
	k.text.b, errs[1] = ring.OpenBroadcast[[]byte](r, TextTalk,
		&ring.BroadcastOptions{Mode: text, Capacity: 16, Buffer: filling * (longestTalk + 16), MaxMessage: longestTalk})
	k.begun, errs[2] = atomics.OpenArray[int64](r, "talk-begun", Speakers)
	k.told, errs[3] = atomics.OpenArray[int64](r, "talk-told", Speakers)
	k.stop, errs[4] = atomics.OpenValue(r, "talk-stop", int32(0))
	return k, errors.Join(errs[:]...)
}

// Close closes the handles on the broadcasts.
func (k *Talks) Close() error { return errors.Join(k.plain.b.Close(), k.text.b.Close()) }

func newTalk(by, n int64) []byte {
	k := rand.IntN(100)
	if n%4 == 0 {
		k = rand.IntN(longestTalk - 16)
	}
	return longTalk(by, n, k)
}

func longTalk(by, n int64, more int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(by))
	b = binary.LittleEndian.AppendUint64(b, uint64(n))
	return append(b, strings.Repeat("x", more)...)
}

func ofTalk(b []byte) (by, n int64, whole bool) {
	if len(b) < 16 || strings.Trim(string(b[16:]), "x") != "" {
		return 0, 0, false
	}
	return int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:])), true
}

// A Speaker publishes by one of the broadcasts. It outlives the region: a Publish that
// returned an error has published nothing.
type Speaker struct {
	Me    int
	Text  bool
	Pause time.Duration // after each, at most: one that waits for nobody leaves nothing to others
	done  int64
}

// Work publishes until the storm ends, which is nil, or the region or a handle is closed.
func (p *Speaker) Work(k *Talks) error {
	if p.Text {
		return speak(p, k, &k.text)
	}
	return speak(p, k, &k.plain)
}

func speak[T any](p *Speaker, k *Talks, by *talk[T]) error {
	k.begun.Store(p.Me, p.done) // the last ones may have gone with the region
	k.told.Store(p.Me, p.done)
	for k.stop.Load() == 0 {
		n := p.done + 1
		k.begun.Store(p.Me, n)
		ctx, cancel := aWhile()
		err := by.b.Publish(ctx, by.make(int64(p.Me), n))
		cancel()
		if err == nil {
			p.done = n
			k.told.Store(p.Me, n)
			if p.Pause > 0 {
				time.Sleep(rand.N(p.Pause))
			}
			continue
		}
		k.begun.Store(p.Me, p.done)
		if errors.Is(err, ring.ErrShutdown) {
			return nil
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return nil
}

// Visit subscribes to one of the broadcasts, sees some, and leaves, again and again, until the
// broadcast ends, which is nil, or the region or the handle is closed.
func (k *Talks) Visit(text bool) error {
	if text {
		return visit(&k.text)
	}
	return visit(&k.plain)
}

func visit[T any](by *talk[T]) error {
	for {
		s, err := by.b.Subscribe()
		for range rand.IntN(1000) {
			if err != nil {
				break
			}
			var v T
			if v, err = next(by, s); err == nil {
				if _, _, whole := by.of(v); !whole {
					err = fmt.Errorf("torn: %v", v)
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
}

// next waits, as one does or another.
func next[T any](by *talk[T], s *ring.Subscriber[T]) (v T, err error) {
	if rand.IntN(16) == 0 {
		if _, err := shm.WaitAny(context.Background(), s); err != nil {
			return v, err
		}
	}
	v, _, err = s.Next(context.Background())
	return v, err
}

// Attend subscribes to one of the broadcasts. The function that it returns sees all until
// the end, in the order of each speaker's.
func (k *Talks) Attend(text bool) (seesAll func() (received, missed uint64, err error), err error) {
	if text {
		return attend(&k.text)
	}
	return attend(&k.plain)
}

func attend[T any](by *talk[T]) (seesAll func() (received, missed uint64, err error), err error) {
	s, err := by.b.Subscribe()
	return func() (received, missed uint64, err error) {
		last := map[int64]int64{}
		for {
			v, lost, err := s.Next(context.Background())
			missed += lost
			if errors.Is(err, io.EOF) {
				return received, missed, nil
			}
			if err != nil {
				return received, missed, err
			}
			received++
			by, n, whole := by.of(v)
			if !whole || n <= last[by] {
				return received, missed, fmt.Errorf("after %d of %d's: %v", last[by], by, v)
			}
			last[by] = n
		}
	}, err
}

// Begun waits until one of the first so many speakers has published something.
func (k *Talks) Begun(t testing.TB, speakers int) {
	t.Helper()
	begun(t, k.told, speakers)
}

// Stop ends the Speakers.
func (k *Talks) Stop() { k.stop.Store(1) }

// Shutdown is when the speakers have ended, or, where the texts are Lossy, are about to. It
// ends the others, and fails the test if a death has lost some memory: so many of the longest
// must lie in the ring together.
func (k *Talks) Shutdown(t testing.TB) {
	t.Helper()
	for ctx := testproc.Watchdog(t); !k.fills(ctx, t); {
		if ctx.Err() != nil {
			t.Fatal("there is too little room")
		}
	}
	testproc.OK(t, errors.Join(k.plain.b.Shutdown(), k.text.b.Shutdown()))
}

// fills is false where a speaker comes between.
func (k *Talks) fills(ctx context.Context, t testing.TB) bool {
	t.Helper()
	s := testproc.Get(k.text.b.Subscribe())(t)
	defer s.Close()
	for range filling {
		k.filled++
		testproc.OK(t, k.text.b.Publish(ctx, longTalk(-1, int64(k.filled), longestTalk-16)))
	}
	for range filling {
		b, missed, err := s.Next(ctx)
		testproc.OK(t, err)
		if by, _, _ := ofTalk(b); by != -1 || missed != 0 {
			return false
		}
	}
	return true
}

// Came is, after Shutdown and when the speakers have ended, how many messages came by each of
// the broadcasts: at least what Publishes told the first so many speakers, of whom texts says
// which are of the one with texts, and at most what they began. It fails the test, too, if a
// death has lost memory of the plain one: that has a block to spare for each participant, so
// that nobody would miss some of them.
func (k *Talks) Came(t testing.TB, r *shm.Region, speakers int, texts func(speaker int) bool) map[string]uint64 {
	t.Helper()
	k.kept(t)
	came := map[string]uint64{}
	for _, o := range testproc.Get(r.Snapshot())(t).Objects {
		if o.Name == PlainTalk || o.Name == TextTalk {
			came[o.Name] = testproc.Get(strconv.ParseUint(o.Value, 10, 64))(t)
		}
	}
	begun, told := map[string]uint64{TextTalk: k.filled}, map[string]uint64{TextTalk: k.filled}
	for p := range speakers {
		name := PlainTalk
		if texts(p) {
			name = TextTalk
		}
		begun[name] += uint64(k.begun.Load(p))
		told[name] += uint64(k.told.Load(p))
	}
	for _, name := range []string{PlainTalk, TextTalk} {
		if n := came[name]; n < told[name] || n > begun[name] || n == 0 {
			t.Errorf("%s: %d came, %d Publishes returned and %d began", name, n, told[name], begun[name])
		}
	}
	return came
}

// kept waits, where the last of those that were killed is still being recovered, until each
// block of the plain broadcast that somebody owns is a message's. A message has one block.
func (k *Talks) kept(t testing.TB) {
	t.Helper()
	s := testproc.Get(k.plain.b.Subscribe())(t)
	defer s.Close()
	a := s.WaitSource().Core.Area
	messages, owned := blocksOf(a)
	for end := time.Now().Add(testproc.Patience); owned != messages && time.Now().Before(end); messages, owned = blocksOf(a) {
		time.Sleep(time.Millisecond)
	}
	if owned != messages || messages == 0 {
		t.Errorf("%s: %d messages, and %d blocks that somebody owns", PlainTalk, messages, owned)
	}
}

// blocksOf counts slots of a broadcast that have messages, and pieces that are not free, where
// docs/layout.md says that they are.
func blocksOf(a mem.Area) (messages, owned int) {
	up := func(x uint64) uint64 { return (x + 127) / 128 * 128 }
	count := func(off uint64) uint64 { return uint64(mem.Load32(a.W32(off))) }
	slots, blocks, participants, subscribers := count(0), count(8), count(20), count(24)
	at := up(up(384+64*participants)+8*subscribers) + 128*subscribers
	for i := range slots {
		if mem.Load64(a.W64(at+8*i))&2 != 0 {
			messages++
		}
	}
	at = up(at + 8*slots)
	for i := range blocks {
		if owner := mem.Load64(a.W64(at + 16*i)); owner != 0 && owner&1 == 0 {
			owned++
		}
	}
	return messages, owned
}
