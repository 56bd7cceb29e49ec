package sync_test

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// The owner is a participant of the region that the lock is in, and not of a
// copy of its file, which has its id.
func TestOwnerBesideACopy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "region")
	r, err := shm.Create(path, &shm.Options{Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m, err := sync.OpenMutex(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := m.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"-copy", b, 0o600); err != nil {
		t.Fatal(err)
	}
	twin, err := shm.Open(path+"-copy", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer twin.Close()
	if p, ok := m.Owner(); !ok || p != r.Self() || p.State != shm.Alive || p.PID != os.Getpid() {
		t.Errorf("Owner = %+v, %v, want %+v", p, ok, r.Self())
	}
	if err := m.Unlock(); err != nil {
		t.Error(err)
	}
}

// A Cond that arrives where a copy of its region is open, too, is on its own,
// and so is its lock.
func TestCondBesideACopy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "region")
	r, err := shm.Create(path, &shm.Options{Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m, err := sync.OpenMutex(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	c, err := sync.OpenCond(r, "c", m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"-copy", b, 0o600); err != nil {
		t.Fatal(err)
	}
	twin, err := shm.Open(path+"-copy", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer twin.Close()
	if b, err = c.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	var arrived sync.Cond
	if err := arrived.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if ok, err := m.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := arrived.Notify(1); err != nil {
		t.Errorf("Notify by what arrived, with the lock held = %v", err)
	}
	if err := m.Unlock(); err != nil {
		t.Error(err)
	}
}
