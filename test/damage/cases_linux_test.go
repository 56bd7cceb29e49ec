package damage

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// Damage that once was taken for something else.
func TestCases(t *testing.T) {
	image := build(t)
	words := func(name string) int64 { // of an object
		for _, s := range spans(image) {
			if s.name == name {
				return s.off
			}
		}
		t.Fatalf("no object %s", name)
		return 0
	}
	const (
		dirSeq = 384
		dirGen = 384 + 24
	)
	mutex := func(r *shm.Region, name string) (m *sync.Mutex) {
		m, err := sync.OpenMutex(r, name)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct {
		name string
		edit edit
		o    *shm.Options
		do   func(r *shm.Region) error
		want error
	}{
		{"an epoch that holds a mutex without an owner is not added to", edit{set64, uint32(words("free")), 7 << 32}, nil,
			func(r *shm.Region) error {
				_, err := mutex(r, "free").TryLock()
				return err
			}, shm.ErrCorrupt},
		{"no object is made after the last generation", edit{set64, dirGen, 1<<64 - 1}, nil,
			func(r *shm.Region) error { _, err := sync.OpenMutex(r, "new"); return err }, shm.ErrCorrupt},
		{"nor is one after the greatest", edit{set64, dirGen, 1 << 62}, nil,
			func(r *shm.Region) error { _, err := sync.OpenMutex(r, "new"); return err }, shm.ErrCorrupt},
		{"that others are found still", edit{set64, dirGen, 1<<64 - 1}, nil,
			func(r *shm.Region) error {
				sync.OpenMutex(r, "new")
				_, err := sync.OpenMutex(r, "free")
				return err
			}, nil},
		{"a directory that seems to be changing is busy", edit{set64, dirSeq, 77}, &shm.Options{ReadOnly: true},
			(*shm.Region).Check, syscall.EBUSY},
		{"and is repaired by who may", edit{set64, dirSeq, 77}, nil, (*shm.Region).Check, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(tempDir(t), "region")
			if err := copyImage(image, path); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := c.edit.apply(f); err != nil {
				t.Fatal(err)
			}
			r, err := shm.Open(path, c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if err := c.do(r); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// The edits of a seed are those of the fuzzer's input that is made of them.
func TestEncode(t *testing.T) {
	e := edit{copied, 4711, binary.LittleEndian.Uint64([]byte("12345678"))}
	if es := decode(append(encode([]edit{e, {}}), 1, 2, 3)); len(es) != 2 || es[0] != e || es[1] != (edit{}) {
		t.Errorf("%v, want %v and a zero", es, e)
	}
}
