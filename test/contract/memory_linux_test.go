package contract_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
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
	t.Run("M4 M5 what cannot be is refused", func(t *testing.T) {
		dir := t.TempDir()
		name := filepath.Join(dir, "there")
		r := testproc.Get(shm.Create(name, &shm.Options{Size: 1 << 20}))(t)
		defer r.Close()
		failed := func(r *shm.Region, err error) error {
			if err == nil {
				r.Close()
			}
			return err
		}
		for what, tt := range map[string]struct{ err, want error }{
			"one that is there":     {failed(shm.Create(name, &shm.Options{Size: 1 << 20})), fs.ErrExist},
			"none that is there":    {failed(shm.Open(filepath.Join(dir, "none"), nil)), fs.ErrNotExist},
			"a size below 0":        {failed(shm.Create(filepath.Join(dir, "new"), &shm.Options{Size: -1})), fs.ErrInvalid},
			"to remove what is not": {shm.Remove(filepath.Join(dir, "none")), fs.ErrNotExist},
		} {
			if !errors.Is(tt.err, tt.want) {
				t.Errorf("%s: %v, want %v", what, tt.err, tt.want)
			}
		}
	})
	t.Run("M6 M7 its name goes at once, and who has it goes on; a second Close is none", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "m")
		r := testproc.Get(shm.Create(name, &shm.Options{Size: 1 << 20}))(t)
		data := testproc.Get(atomics.OpenSlice[byte](r, "m", 3))(t).Data()
		if err := shm.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := shm.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a second Remove = %v", err)
		}
		copy(data, "abc")
		if again := testproc.Get(atomics.OpenSlice[byte](r, "m", 0))(t).Data(); string(again) != "abc" {
			t.Errorf("after Remove: %q", again)
		}
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Errorf("Close, Close = %v", err)
		}
		if data[0] != 0 { // and no fault
			t.Errorf("after Close: %q", data)
		}
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
