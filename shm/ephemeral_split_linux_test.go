package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
)

// The referee's page has a line for each player: {pid, id of the region that
// it is in, 0 outside}.
type line struct {
	pid, in atomic.Uint64
	_       [112]byte
}

func referee(path string) []line {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	testproc.Must(err)
	testproc.Must(f.Truncate(4096))
	b, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	testproc.Must(err)
	return unsafe.Slice((*line)(unsafe.Pointer(&b[0])), 4096/unsafe.Sizeof(line{}))
}

// player: path, referee's file, own line. Goes in and out of an ephemeral
// region, and looks whether everybody who is in is in the same.
var player = testproc.Role("player", func(args []string) {
	lines := referee(args[1])
	n, _ := strconv.Atoi(args[2])
	me := &lines[n]
	me.in.Store(0)
	me.pid.Store(uint64(os.Getpid()))
	for i := 0; ; i++ {
		r, err := OpenOrCreate(args[0], ephemeral)
		testproc.Must(err)
		id := binary.LittleEndian.Uint64(r.a.id[:]) | 1
		me.in.Store(id)
		for range 3 {
			for k := range lines {
				if conflict(&lines[k], id) {
					testproc.Must(fmt.Errorf("this process is in region %x, and %d in another", id, lines[k].pid.Load()))
				}
			}
		}
		me.in.Store(0)
		testproc.Must(r.Close())
		if i%16 == 0 {
			testproc.Say("round")
		}
	}
})

func conflict(l *line, id uint64) bool {
	pid, in := l.pid.Load(), l.in.Load()
	if in == 0 || in == id {
		return false
	}
	// A dead one's line stays; a living one's is true while it is there.
	return runs(pid) && l.pid.Load() == pid && l.in.Load() == in
}

// runs reports whether a process has a thread that is not on its way out. Its locks are
// free only when the last one is.
func runs(pid uint64) bool {
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, name := range all {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		const exiting = 4 // PF_EXITING
		if flags, err := strconv.Atoi(f[6]); err == nil && f[0] != "Z" && f[0] != "X" && flags&exiting == 0 {
			return true
		}
	}
	return false
}

// kill kills a child that must not have ended by itself.
func kill(t *testing.T, c *testproc.Child) {
	t.Helper()
	c.Kill()
	if err := c.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("child %d: %v, want it to live until it is killed", c.PID(), err)
	}
}

// Players come, go and are killed at random instants: never are two in
// different regions of the same name at once, and at the end nothing is left.
func TestEphemeralNeverSplits(t *testing.T) {
	path := testPath(t)
	const players = 6
	page := path + "-referee"
	lines := referee(page)
	cs := make([]*testproc.Child, players)
	for i := range cs {
		cs[i] = player.Start(t, path, page, strconv.Itoa(i))
	}
	kills := effort.Or(100, 20)
	for range kills {
		i := rand.IntN(players)
		if l := cs[i].Line(); l != "round" {
			t.Fatalf("player %d: %s", i, l)
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		kill(t, cs[i])
		lines[i].in.Store(0)
		cs[i] = player.Start(t, path, page, strconv.Itoa(i))
	}
	for i := range cs {
		kill(t, cs[i])
	}
	if err := closed(Open(path, nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open after all are dead = %v, want fs.ErrNotExist", err)
	}
	if f := files(t, filepath.Dir(path)); len(f) != 1 {
		t.Errorf("left: %q", f)
	}
}
