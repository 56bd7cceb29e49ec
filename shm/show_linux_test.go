package shm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

// What a region says of itself neither moves the cursor nor turns round what
// stands beside it.
func TestNamesAreShownAsText(t *testing.T) {
	r, path := newRegion(t, nil)
	core := openOK(t, r, lockOf("a"))
	rec := r.a.rec(r.a.self.Index)
	name := "x\u202edaed\x1b[2J"
	copy(r.a.Bytes(r.a.Geo.RecordAt(rec.I)+region.RecName, 64), name)
	mem.Store32(rec.P32(region.RecNameLen), uint32(len(name)))
	ro := testproc.Get(Open(path, &Options{ReadOnly: true}))(t)
	defer ro.Close()
	s := testproc.Get(ro.Snapshot())(t)
	checked := whileChanging(t, r, ro.Check)
	wantErr(t, checked, syscall.EBUSY)
	for what, text := range map[string]string{
		"snapshot": s.String(),
		"object":   s.ObjectText(s.Object("a")),
		"check":    checked.Error(),
	} {
		if strings.ContainsAny(text, "\u202e\x1b") || !strings.Contains(text, "x?daed?[2J") {
			t.Errorf("%s: %q", what, text)
		}
	}
	core.KeepAlive()
}

// whileChanging calls f while r's process changes the directory.
func whileChanging(t *testing.T, r *Region, f func() error) error {
	t.Helper()
	l, err := r.a.lockDirectory()
	if err != nil {
		t.Fatal(err)
	}
	defer l.unlock()
	r.a.BeginChange()
	defer r.a.EndChange()
	return f()
}

// Whose pid is of another pid namespace, that one is told from those that ps
// shows; a time namespace of its own does not matter.
func TestPIDsOfAnotherNamespace(t *testing.T) {
	r, path := newRegion(t, nil)
	core := openOK(t, r, lockOf("a"))
	defer core.KeepAlive()
	ro := testproc.Get(Open(path, &Options{ReadOnly: true}))(t)
	defer ro.Close()
	rec := r.a.rec(r.a.self.Index)
	ns := mem.Load64(rec.P64(region.RecPIDNS))
	if ns == 0 {
		t.Skip("this process does not know its namespace")
	}
	defer mem.Store64(rec.P64(region.RecPIDNS), ns)
	for _, tt := range []struct {
		ns   uint64
		want bool
	}{{ns, false}, {ns + 1<<32, false}, {0, false}, {ns + 1, true}} {
		mem.Store64(rec.P64(region.RecPIDNS), tt.ns)
		s := testproc.Get(r.Snapshot())(t)
		if p := s.Participants[0]; p.Elsewhere != tt.want {
			t.Errorf("namespaces %#x, mine %#x: elsewhere is %v", tt.ns, ns, p.Elsewhere)
		}
		if got := strings.Contains(s.String(), " in another namespace"); got != tt.want {
			t.Errorf("namespaces %#x, mine %#x:\n%s", tt.ns, ns, s)
		}
		if text := s.ObjectText(s.Object("a")); strings.Contains(text, " in another namespace") != tt.want {
			t.Errorf("namespaces %#x, mine %#x:\n%s", tt.ns, ns, text)
		}
		if err := whileChanging(t, r, ro.Check); strings.Contains(err.Error(), " in another namespace") != tt.want {
			t.Errorf("namespaces %#x, mine %#x: %v", tt.ns, ns, err)
		}
		h := (&viewer{a: r.a, who: map[uint32]Attached{r.a.self.Index: s.Participants[0]}}).holder(engine.Holding{Who: r.a.self})
		if got := strings.Contains(h.String(), " in another namespace"); got != tt.want {
			t.Errorf("namespaces %#x, mine %#x: %s", tt.ns, ns, &h)
		}
	}
}

// Of a kind that this build does not know the number is told.
func TestMismatchOfUnknownKind(t *testing.T) {
	path := filepath.Join(testDir(t), "region")
	storedRegion(t, path, 1)
	f := testproc.Get(os.OpenFile(path, os.O_RDWR, 0))(t)
	defer f.Close()
	h := testproc.Get(readHeader(f, testproc.Get(f.Stat())(t).Size()))(t)
	if _, err := f.WriteAt([]byte{77}, int64(h.EntryAt(0)+region.EntKind)); err != nil {
		t.Fatal(err)
	}
	r := testproc.Get(Open(path, nil))(t)
	defer r.Close()
	_, err := r.OpenObject(lockOf("o0"))
	wantErr(t, err, ErrMismatch)
	if !strings.HasSuffix(err.Error(), "kind: mutex here, kind 77 in the region") {
		t.Errorf("%v", err)
	}
}

// A process that is always collecting is busy, and its region is not corrupt.
func TestInVain(t *testing.T) {
	if err := inVain(errCollecting); !errors.Is(err, syscall.EBUSY) || errors.Is(err, ErrCorrupt) {
		t.Errorf("collecting: %v", err)
	}
	if err := inVain(errStale); !errors.Is(err, ErrCorrupt) {
		t.Errorf("gone: %v", err)
	}
}
