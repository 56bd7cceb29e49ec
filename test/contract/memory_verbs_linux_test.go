package contract_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"strconv"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/shm"
)

// refusal is actor.Outcome, of what a name or a number may be refused for.
func refusal(err error) string {
	for is, text := range map[error]string{fs.ErrExist: "exists", fs.ErrNotExist: "not exist", fs.ErrInvalid: "invalid"} {
		if errors.Is(err, is) {
			return text
		}
	}
	return actor.Outcome(err)
}

// has makes r the actor's region of that path.
func has(e *actor.Env, path string) func(r *shm.Region, err error) string {
	return func(r *shm.Region, err error) string {
		if err == nil {
			e.Drop("region " + path)
			actor.Handle(e, "region "+path, func() (*shm.Region, error) { return r, nil })
		}
		return refusal(err)
	}
}

// regionAt is the region that the actor has of that path.
func regionAt(e *actor.Env, path string) *shm.Region {
	return actor.Handle(e, "region "+path, func() (*shm.Region, error) { return nil, errors.New("it has not opened it") })
}

// bytesAt are three bytes of it, kept by the actor whatever it closes.
func bytesAt(e *actor.Env, path string) []byte {
	r := regionAt(e, path)
	return actor.Handle(e, "bytes "+path, func() ([]byte, error) {
		s, err := atomics.OpenSlice[byte](r, "m", 3)
		if err != nil {
			return nil, err
		}
		return s.Data(), nil
	})
}

// A region beside the world's own, by its path.
var (
	_ = actor.Verb("region.create", func(e *actor.Env, args []string) string { // size
		return has(e, args[0])(shm.Create(args[0], &shm.Options{Size: int64(actor.Opened(strconv.Atoi(args[1])))}))
	})
	_ = actor.Verb("region.open", func(e *actor.Env, args []string) string { return has(e, args[0])(shm.Open(args[0], nil)) })
	_ = actor.Verb("region.ephemeral", func(e *actor.Env, args []string) string {
		return has(e, args[0])(shm.OpenOrCreate(args[0], &shm.Options{Size: 1 << 20, Ephemeral: true}))
	})
	_ = actor.Verb("region.remove", func(e *actor.Env, args []string) string { return refusal(shm.Remove(args[0])) })
	_ = actor.Verb("region.close", func(e *actor.Env, args []string) string { return refusal(regionAt(e, args[0]).Close()) })
	_ = actor.Verb("region.slice", func(e *actor.Env, args []string) string { // object, how long
		_, err := atomics.OpenSlice[byte](regionAt(e, args[0]), args[1], actor.Opened(strconv.Atoi(args[2])))
		return refusal(err)
	})
	_ = actor.Verb("region.read", func(e *actor.Env, args []string) string { return string(bytesAt(e, args[0])) })
	_ = actor.Verb("region.write", func(e *actor.Env, args []string) string { // text
		copy(bytesAt(e, args[0]), args[1])
		return "ok"
	})
)

// A block is memory that an actor has for some time, all of whose bytes are x.
type block struct {
	name string
	a    *atomics.Array[byte]
	x    byte
}

func newBlock(r *shm.Region, name string, n int, x byte) block {
	b := block{name, actor.Opened(atomics.OpenArray[byte](r, name, n)), x}
	if !b.has(0) {
		actor.Fail(fmt.Errorf("%s is not zero", name))
	}
	b.a.CopyFrom(bytes.Repeat([]byte{x}, n))
	return b
}

func (b block) has(x byte) bool {
	data := make([]byte, b.a.Len())
	b.a.CopyTo(data)
	return bytes.Equal(data, bytes.Repeat([]byte{x}, len(data)))
}

// remove is an error if somebody else has written to it.
func (b block) remove(r *shm.Region) error {
	if !b.has(b.x) {
		return fmt.Errorf("%s is another's", b.name)
	}
	return errors.Join(r.Remove(b.name), b.a.Close())
}

var (
	// Makes and removes memory so often, of any sizes, and has 50 pieces at most; in the
	// end none. The actor's number makes its names.
	_ = actor.Verb("memory.churn", func(e *actor.Env, args []string) string { // number, how often
		number := actor.Opened(strconv.Atoi(args[0]))
		rnd := rand.New(rand.NewPCG(uint64(number), 0))
		var live []block
		remove := func(i int) {
			b := live[i]
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
			actor.Opened(0, b.remove(e.Region))
		}
		for i := range actor.Opened(strconv.Atoi(args[1])) {
			if e.Ctx.Err() != nil {
				break
			}
			if len(live) == 50 || len(live) > 0 && rnd.IntN(2) == 0 {
				remove(rnd.IntN(len(live)))
				continue
			}
			live = append(live, newBlock(e.Region, fmt.Sprintf("churn-%d-%d", number, i), 1+rnd.IntN(1<<rnd.IntN(17)), byte(1+i%255)))
		}
		for len(live) > 0 {
			remove(0)
		}
		return "ok"
	})
	// Has memory, removes its name and forgets it, beside a collector that never rests.
	_ = actor.Verb("memory.litter", func(e *actor.Env, args []string) string { // number, how often
		stop, stopped := make(chan bool), make(chan bool)
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					runtime.GC()
				}
			}
		}()
		defer func() { close(stop); <-stopped }()
		for i := range actor.Opened(strconv.Atoi(args[1])) {
			b := newBlock(e.Region, fmt.Sprintf("litter-%s-%d", args[0], i), 1000, 1)
			actor.Opened(0, e.Region.Remove(b.name))
		}
		return "ok"
	})
	_ = actor.Verb("memory.collect", func(*actor.Env, []string) string { runtime.GC(); return "ok" })
)
