package shmtest_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// A recorder is a test that runs and ends when the test around it says so.
type recorder struct {
	testing.TB
	cleanups []func()
	failed   bool
	log      strings.Builder
}

func (r *recorder) Helper()                 {}
func (r *recorder) Cleanup(f func())        { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Failed() bool            { return r.failed }
func (r *recorder) Log(a ...any)            { fmt.Fprintln(&r.log, a...) }
func (r *recorder) Logf(s string, a ...any) { fmt.Fprintf(&r.log, s+"\n", a...) }
func (r *recorder) Errorf(s string, a ...any) {
	r.failed = true
	r.Logf(s, a...)
}

func (r *recorder) end() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

func TestRegion(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *recorder, r *shm.Region)
		fail bool
		log  string
	}{
		{"nothing", func(*recorder, *shm.Region) {}, false, ""},
		{"closed by the test", func(t *recorder, r *shm.Region) { r.Close() }, false, ""},
		{"removed by the test", func(t *recorder, r *shm.Region) { shm.Remove(r.Name()) }, false, ""},
		{"closed and removed", func(t *recorder, r *shm.Region) { r.Close(); shm.Remove(r.Name()) }, false, ""},
		{"failed", func(t *recorder, r *shm.Region) { t.Errorf("bad luck") }, true, `"participants"`},
		{"corrupt", func(t *recorder, r *shm.Region) {
			f, err := os.OpenFile(r.Name(), os.O_RDWR, 0)
			if err != nil {
				t.Errorf("%v", err)
				return
			}
			defer f.Close()
			f.WriteAt([]byte{0xff, 0xff, 0xff, 0x7f}, 384+16) // how many objects there are
		}, true, "region is corrupt"},
	} {
		rec := &recorder{TB: t}
		r := shmtest.Region(rec)
		dir := filepath.Dir(r.Name())
		tt.do(rec, r)
		rec.end()
		if rec.failed != tt.fail || !strings.Contains(rec.log.String(), tt.log) {
			t.Errorf("%s: failed %v, want %v; log %s", tt.name, rec.failed, tt.fail, rec.log.String())
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: left its directory: %v", tt.name, err)
		}
	}
}

func TestRegionsAreApart(t *testing.T) {
	a, b := shmtest.Region(t), shmtest.Region(t)
	if a.Name() == b.Name() {
		t.Errorf("two regions are one: %s", a.Name())
	}
}
