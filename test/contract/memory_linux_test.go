package contract_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
)

// Memory is bytes of a name that all actors see.
func memory(e *actor.Env, name string, n int) []byte {
	return actor.Handle(e, "memory "+name, func() (*atomics.Slice[byte], error) {
		return atomics.OpenSlice[byte](e.Region, name, n)
	}).Data()
}

var (
	_ = actor.Verb("memory.read", func(e *actor.Env, args []string) string { // n
		return fmt.Sprint(memory(e, args[0], actor.Opened(strconv.Atoi(args[1]))))
	})
	_ = actor.Verb("memory.write", func(e *actor.Env, args []string) string { // text
		return fmt.Sprint(copy(memory(e, args[0], 0), args[1]))
	})

	writer = proc.Register("contract.writer", func(ctx context.Context, s *atomics.Slice[byte]) error {
		copy(s.Data(), "abc")
		return nil
	})
)

// What multiprocessing calls SharedMemory is a region with a Slice in it.
func TestSharedMemory(t *testing.T) {
	t.Parallel()
	t.Run("M1 M3 M8 it is zero, as long as was asked for, and of all", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("[0 0 0 0]", "memory.read", "m", "4")
			b.Expect("[0 0 0 0]", "memory.read", "m", "0")
			b.Expect("3", "memory.write", "m", "abc")
			a.Expect("[97 98 99 0]", "memory.read", "m", "4")
			a.Expect("4", "memory.write", "m", "too long for it")
			b.Expect("[116 111 111 32]", "memory.read", "m", "4")
		})
	})
	t.Run("M2 one that was given no name has none, and is nobody else's; a child has it that is handed it", func(t *testing.T) {
		a := testproc.Get(shm.Anonymous(&shm.Options{Size: 1 << 20}))(t)
		defer a.Close()
		b := testproc.Get(shm.Anonymous(&shm.Options{Size: 1 << 20}))(t)
		defer b.Close()
		mine := testproc.Get(atomics.OpenSlice[byte](a, "m", 3))(t)
		other := testproc.Get(atomics.OpenSlice[byte](b, "m", 3))(t)
		ctx := testproc.Watchdog(t)
		p := testproc.Get(writer.Start(ctx, mine, nil))(t)
		testproc.OK(t, p.Wait(ctx))
		if string(mine.Data()) != "abc" || string(other.Data()) != "\x00\x00\x00" {
			t.Errorf("the child has written abc: %q, and another region has %q", mine.Data(), other.Data())
		}
		f := testproc.Get(a.File())(t)
		defer f.Close()
		if n := testproc.Get(f.Stat())(t).Sys().(*syscall.Stat_t).Nlink; n != 0 {
			t.Errorf("its file has %d names", n)
		}
	})
	t.Run("M4 M5 what cannot be is refused, and leaves nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			dir := t.TempDir()
			there, none := filepath.Join(dir, "there"), filepath.Join(dir, "none")
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "region.create", there, "1048576")
			b.Expect("exists", "region.create", there, "1048576")
			b.Expect("not exist", "region.open", none)
			b.Expect("not exist", "region.remove", none)
			b.Expect("invalid", "region.create", none, "-1")
			for _, name := range []string{"", ".", "..", "a b", "a:b", "é", "a\x00b", strings.Repeat("n", 201), dir + "/", dir + "/..", none + "\x00", dir + "/.tandem~x"} {
				b.Expect("invalid", "region.create", name, "1048576")
				b.Expect("invalid", "region.open", name)
				b.Expect("invalid", "region.remove", name)
			}
			b.Expect("ok", "region.open", there)
			b.Expect("invalid", "region.slice", there, "m", "-1")
			b.Expect("not exist", "region.slice", there, "m", "0")
			for _, name := range []string{"", ".", "..", "a b", "a/b", "é", "a\x00b", strings.Repeat("n", 201)} {
				b.Expect("invalid", "region.slice", there, name, "3")
			}
			a.Expect("ok", "region.close", there)
			b.Expect("ok", "region.close", there)
			if left := testproc.Get(os.ReadDir(dir))(t); len(left) != 1 || left[0].Name() != "there" {
				t.Errorf("the directory has %v", left)
			}
		})
	})
	t.Run("M6 its name goes at once, and who has it goes on", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			name := filepath.Join(t.TempDir(), "m")
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			a.Expect("ok", "region.create", name, "1048576")
			a.Expect("ok", "region.write", name, "abc")
			b.Expect("ok", "region.open", name)
			b.Expect("ok", "region.remove", name)
			b.Expect("not exist", "region.remove", name)
			c.Expect("not exist", "region.open", name)
			b.Expect("abc", "region.read", name)
			b.Expect("ok", "region.write", name, "xyz")
			a.Expect("xyz", "region.read", name)
			c.Expect("ok", "region.create", name, "1048576")
			c.Expect("\x00\x00\x00", "region.read", name)
			a.Expect("xyz", "region.read", name)
			for _, x := range []*actor.Actor{a, b, c} {
				x.Expect("ok", "region.close", name)
			}
		})
	})
	t.Run("M7 a second Close is none; the others go on, and who has closed it reads zeroes", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			name := filepath.Join(t.TempDir(), "m")
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "region.create", name, "1048576")
			a.Expect("ok", "region.write", name, "abc")
			b.Expect("ok", "region.open", name)
			b.Expect("abc", "region.read", name)
			b.Expect("ok", "region.close", name)
			b.Expect("ok", "region.close", name)
			if w.Processes() { // else it is open in the process still
				b.Expect("\x00\x00\x00", "region.read", name)
				b.Expect("ok", "region.write", name, "no!")
			}
			a.Expect("abc", "region.read", name)
			a.Expect("ok", "region.close", name)
			a.Expect("\x00\x00\x00", "region.read", name)
			a.Expect("ok", "region.close", name)
		})
	})
	t.Run("M9 one that is Ephemeral is there as long as anybody has it, and gone when the last one dies", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			name := filepath.Join(t.TempDir(), "m")
			a, b, c, d := w.Actor(), w.Actor(), w.Actor(), w.Actor()
			a.Expect("ok", "region.ephemeral", name)
			a.Expect("ok", "region.write", name, "abc")
			b.Expect("ok", "region.ephemeral", name)
			a.Kill()
			b.Expect("abc", "region.read", name)
			c.Expect("ok", "region.open", name)
			c.Expect("abc", "region.read", name)
			c.Expect("ok", "region.close", name)
			b.Kill()
			c.Expect("not exist", "region.open", name)
			d.Expect("ok", "region.ephemeral", name)
			d.Expect("\x00\x00\x00", "region.read", name)
			d.Expect("ok", "region.close", name)
			if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("its last user has closed it, and its file is there: %v", err)
			}
		})
	})
	t.Run("M9 M10 it outlives whoever only had it open, however that ended", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			a.Expect("[0 0 0]", "memory.read", "m", "3")
			b.Expect("3", "memory.write", "m", "abc")
			b.Expect("ok", "actor.close")
			a.Expect("[97 98 99]", "memory.read", "m", "3")
			a.Kill()
			c.Expect("[97 98 99]", "memory.read", "m", "0")
		})
	})
}
