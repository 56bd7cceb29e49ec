package bench_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

var background = context.Background()

// A job opens what it needs; the function that it returns does n operations, or
// this side's part of them, and returns how many this side has done and checked.
type job func(e *env) func(n int) int

// jobs by kind and name: "free/Mutex".
var jobs = map[string]job{}

// An env is what a job runs in.
type env struct {
	*shm.Region
	dir   string // where sockets may be made; this place's
	side  int    // 0 to sides-1
	sides int
	place string
	watch *stopwatch // nil: nobody asks how long a trip took
}

// name is an object's name, which no other place's team has.
func (e *env) name(s string) string { return s + "-" + e.place }

// counter is a plain shared number, alone on its cache lines.
func (e *env) counter(name string) *int64 {
	s := open(atomics.OpenSlice[int64](e.Region, e.name(name), 32))
	return &s.Data()[16]
}

// worker is a process of a Go team.
var worker = testproc.Role("worker", func(args []string) {
	r := open(shm.Open(args[0], nil))
	side, err := strconv.Atoi(args[2])
	testproc.Must(err)
	sides, err := strconv.Atoi(args[3])
	testproc.Must(err)
	e := &env{Region: r, dir: filepath.Dir(args[0]), side: side, sides: sides, place: args[1]}
	gate := open(atomics.OpenValue(r, e.name("gate"), int64(0)))
	ready := map[string]func(int) int{}
	for passed := int64(0); ; {
		line, ok := testproc.Hear()
		if !ok {
			return
		}
		name, count, _ := strings.Cut(line, " ")
		count, how, _ := strings.Cut(count, " ")
		n, err := strconv.Atoi(count)
		testproc.Must(err)
		if jobs[name] == nil {
			testproc.Must(fmt.Errorf("no job %s", name))
		}
		if ready[name] == nil {
			ready[name] = jobs[name](e)
		}
		if e.watch = nil; how == timed && side == 0 {
			e.watch = &stopwatch{trips: newTrips()}
		}
		passed += int64(sides)
		for atomics.Add(gate, 1); gate.Load() < passed; { // all begin at once
			unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		}
		start := time.Now()
		if e.watch != nil {
			e.watch.start = start
		}
		done := ready[name](n)
		testproc.Say(time.Since(start).Nanoseconds(), done, "0"+e.watch.String())
	}
})

func open[T any](x T, err error) T {
	testproc.Must(err)
	return x
}

// A message is 64 bytes, the first eight its number.
type message [64]byte

func numbered(i int) (m message) {
	binary.LittleEndian.PutUint64(m[:], uint64(i))
	return m
}

func (m *message) number() int { return int(binary.LittleEndian.Uint64(m[:])) }
