//go:build linux

package step_test

import (
	"errors"
	_ "net" // a program that a loader places, as those are that use cgo
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/tandem/test/stepkill/step"
)

func TestMain(m *testing.M) {
	step.Main()
	os.Exit(m.Run())
}

// words maps the stage's one file, making it if it is not there.
func words(dir string) ([]atomic.Uint32, error) {
	f, err := os.OpenFile(filepath.Join(dir, "words"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, 4096); err != nil {
		return nil, err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*atomic.Uint32)(unsafe.Pointer(&b[0])), 1024), nil
}

func mustWords(t *testing.T, dir string) []atomic.Uint32 {
	t.Helper()
	w, err := words(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), 4096)) })
	return w
}

const stores = 9

// stores1by1 writes 1…stores to as many words, then again to one of them.
func stores1by1(pause func()) func(string) (func() error, error) {
	return func(dir string) (func() error, error) {
		w, err := words(dir)
		return func() error {
			for i := range stores {
				pause()
				w[i].Store(uint32(i + 1))
				step.Note(i + 1)
			}
			return nil
		}, err
	}
}

//go:noinline
func toil() {
	for i := range 100 {
		sink = sink*31 + i
	}
}

var sink int

var (
	shortStores = step.Register("short-stores", stores1by1(func() {}))
	longStores  = step.Register("long-stores", stores1by1(toil))
)

// TestHitsEveryState proves the harness: every state that the memory can be
// left in is one that a survivor was shown.
func TestHitsEveryState(t *testing.T) {
	for _, tt := range []struct {
		op     step.Op
		budget string
	}{
		{shortStores, "all"},
		{longStores, "40"},
	} {
		t.Run(tt.op.String(), func(t *testing.T) {
			t.Setenv("TANDEM_STEPKILL", tt.budget)
			seen := map[int]int{} // words written: deaths there
			wheres := map[string]bool{}
			returned := 0
			type place struct{ instructions, words int }
			var places []place
			stepped := 0 // who was stepped far
			step.Every(t, tt.op, func(t *testing.T, s *step.Stage) {
				w := mustWords(t, s.Dir)
				for i := range w[:stores] {
					w[i].Store(0) // the file is the stage's, and new
				}
				d := s.Die(nil)
				n := 0
				for n < stores && w[n].Load() == uint32(n+1) {
					n++
				}
				for i := n; i < stores; i++ {
					if v := w[i].Load(); v != 0 {
						t.Errorf("word %d = %d though word %d is not written", i, v, n)
					}
				}
				if d.Note != n && d.Note != n-1 {
					t.Errorf("note %d with %d words written", d.Note, n)
				}
				if d.Returned {
					if returned++; n != stores {
						t.Errorf("returned with %d words written", n)
					}
				}
				seen[n]++
				wheres[d.Where] = true
				places = append(places, place{d.Instructions, n})
				if d.Instructions > 3000 && d.Stepped > 1000 {
					stepped++
				}
			})
			for n := range stores + 1 {
				if seen[n] == 0 {
					t.Errorf("nobody died with %d words written", n)
				}
			}
			// Who ran to its death died where the first run says, but for the few
			// that the runtime led elsewhere first.
			slices.SortFunc(places, func(a, b place) int { return a.instructions - b.instructions })
			if step.CanBreak() && stepped > 1+len(places)/6 { // the first is
				t.Errorf("%d of %d victims were stepped all the way", stepped, len(places))
			}
			astray := 0
			for i, p := range places[1:] {
				if q := places[i]; q.words > p.words {
					t.Logf("%d words after instruction %d, %d after %d", q.words, q.instructions, p.words, p.instructions)
					astray++
				}
			}
			if astray > len(places)/6 {
				t.Errorf("%d of %d victims went astray", astray, len(places))
			}
			if returned == 0 {
				t.Error("nobody died after the operation")
			}
			t.Logf("deaths by words written: %v; at %d places", seen, len(wheres))
		})
	}
}

// futexWait is a FUTEX_WAIT for w to be no longer 0.
func futexWait(w *atomic.Uint32) {
	for w.Load() == 0 {
		unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), 0, 0, 0, 0, 0)
	}
}

func futexWake(w *atomic.Uint32) {
	w.Store(1)
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), 1, 100, 0, 0, 0)
}

var sleeper = step.Register("sleeper", func(dir string) (func() error, error) {
	w, err := words(dir)
	return func() error {
		w[0].Store(1)
		futexWait(&w[1])
		w[2].Store(1)
		return nil
	}, err
})

func TestAsleep(t *testing.T) {
	t.Setenv("TANDEM_STEPKILL", "40")
	var before, asleep, after int
	step.Every(t, sleeper, func(t *testing.T, s *step.Stage) {
		w := mustWords(t, s.Dir)
		d := s.Die(func() { futexWake(&w[1]) })
		switch {
		case w[0].Load() == 0:
			before++
		case w[2].Load() == 1:
			after++
		case d.Asleep:
			asleep++
		}
		if d.Returned && w[2].Load() == 0 {
			t.Error("returned without having been woken")
		}
	})
	if before == 0 || asleep == 0 || after == 0 {
		t.Errorf("deaths before, during and after the sleep: %d, %d, %d; want some of each", before, asleep, after)
	}
	step.Every(t, sleeper, func(t *testing.T, s *step.Stage) {
		w := mustWords(t, s.Dir)
		if d := s.Die(nil); d.Returned || w[2].Load() != 0 {
			t.Errorf("died %v though nobody woke it", d)
		}
	})
}

// pages writes to memory of the file that was allocated and never touched, and
// to a file that was not there before.
var pages = step.Register("pages", func(dir string) (func() error, error) {
	f, err := os.OpenFile(filepath.Join(dir, "sparse"), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return func() error {
		for off := 0; off < 1<<20; off += 1 << 18 {
			toil()
			b[off+5] = 1
		}
		toil()
		return os.WriteFile(filepath.Join(dir, "new"), []byte("x"), 0o600)
	}, err
})

func TestSeesHolesAndFiles(t *testing.T) {
	t.Setenv("TANDEM_STEPKILL", "16")
	seen := map[int]int{}
	step.Every(t, pages, func(t *testing.T, s *step.Stage) {
		f, err := os.Create(filepath.Join(s.Dir, "sparse"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := errors.Join(f.Truncate(1<<20), unix.Fallocate(int(f.Fd()), 0, 1<<18, 1<<18)); err != nil {
			t.Fatal(err)
		}
		s.Die(nil)
		n, b := 0, make([]byte, 6)
		for off := int64(0); off < 1<<20; off += 1 << 18 {
			if f.ReadAt(b, off); b[5] == 1 {
				n++
			}
		}
		if info, err := os.Stat(filepath.Join(s.Dir, "new")); err == nil {
			n += 1 + int(info.Size())
		}
		seen[n]++
	})
	for n := range 7 { // four bytes; the file; its byte
		if seen[n] == 0 {
			t.Errorf("nobody died after %d of 6 effects: %v", n, seen)
		}
	}
}

// manyCalls makes files, each after a store. The harness runs at full speed to
// the effect that it is about.
var manyCalls = step.Register("many-calls", func(dir string) (func() error, error) {
	w, err := words(dir)
	return func() error {
		for i := range stores {
			toil()
			w[i].Store(1)
			fd, err := unix.Open(filepath.Join(dir, string(rune('a'+i))), unix.O_CREAT|unix.O_RDWR, 0o600)
			if err != nil {
				return err
			}
			unix.Close(fd)
		}
		return nil
	}, err
})

func TestRunsAhead(t *testing.T) {
	t.Setenv("TANDEM_STEPKILL", "60")
	seen := map[[2]int]int{}
	ahead, deaths := 0, 0
	step.Every(t, manyCalls, func(t *testing.T, s *step.Stage) {
		w := mustWords(t, s.Dir)
		d := s.Die(nil)
		n := 0
		for n < stores && w[n].Load() == 1 {
			n++
		}
		names, err := os.ReadDir(s.Dir)
		if err != nil {
			t.Fatal(err)
		}
		seen[[2]int{n, len(names) - 1}]++
		deaths++
		if d.Stepped < d.Instructions/10 {
			ahead++
		}
	})
	for n := range stores {
		if seen[[2]int{n, n}] == 0 || seen[[2]int{n + 1, n}] == 0 {
			t.Errorf("nobody died before or after store %d: %v", n, seen)
		}
	}
	if len(seen) != 2*stores+1 || step.CanBreak() && ahead < deaths/2 {
		t.Errorf("states %v; %d of %d victims ran ahead", seen, ahead, deaths)
	}
}

var registerTwice = sync.OnceFunc(func() { step.Register("short-stores", nil) })

func TestRegisterTwice(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a second operation of the same name is taken")
		}
	}()
	registerTwice()
}
