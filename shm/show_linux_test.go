package shm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// What a region says of itself neither moves the cursor nor turns round what
// stands beside it.
func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"Jörg 名 שלום 🙂 a\u200db", "Jörg 名 שלום 🙂 a\u200db"},
		{"a\x1b[2Jb\nc\u0085d\x7f", "a?[2Jb?c?d?"},
		{"\u202eevil\u202c \u2066x\u2069 \u200e\u200f\u061c", "?evil? ?x? ???"},
		{"a\u2028b\u2029c\xff", "a?b?c?"},
	} {
		if got := printable(tt.in); got != tt.want {
			t.Errorf("printable(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	r, _ := newRegion(t, nil)
	rec := r.a.rec(r.a.self.Index)
	name := "x\u202edaed"
	copy(r.a.Bytes(r.a.g.record(rec.i)+recName, 64), name)
	mem.Store32(rec.p32(recNameLen), uint32(len(name)))
	if text := must(r.Snapshot())(t).String(); strings.Contains(text, "\u202e") || !strings.Contains(text, "x?daed") {
		t.Errorf("%q", text)
	}
}

// Whose pid is of another pid namespace, that one is told from those that ps
// shows; a time namespace of its own does not matter.
func TestPIDsOfAnotherNamespace(t *testing.T) {
	r, _ := newRegion(t, nil)
	rec := r.a.rec(r.a.self.Index)
	ns := mem.Load64(rec.p64(recPIDNS))
	if ns == 0 {
		t.Skip("this process does not know its namespace")
	}
	defer mem.Store64(rec.p64(recPIDNS), ns)
	for _, tt := range []struct {
		ns   uint64
		want bool
	}{{ns, false}, {ns + 1<<32, false}, {0, false}, {ns + 1, true}} {
		mem.Store64(rec.p64(recPIDNS), tt.ns)
		s := must(r.Snapshot())(t)
		if p := s.Participants[0]; p.Elsewhere != tt.want {
			t.Errorf("namespaces %#x, mine %#x: elsewhere is %v", tt.ns, ns, p.Elsewhere)
		}
		if got := strings.Contains(s.String(), " in another namespace"); got != tt.want {
			t.Errorf("namespaces %#x, mine %#x:\n%s", tt.ns, ns, s)
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
	f := must(os.OpenFile(path, os.O_RDWR, 0))(t)
	defer f.Close()
	h := must(readHeader(f, must(f.Stat())(t).Size()))(t)
	if _, err := f.WriteAt([]byte{77}, int64(h.entry(0)+entKind)); err != nil {
		t.Fatal(err)
	}
	r := must(Open(path, nil))(t)
	defer r.Close()
	_, err := r.OpenObject(lockOf("o0"))
	wantErr(t, err, ErrMismatch)
	if !strings.HasSuffix(err.Error(), "kind: mutex here, kind 77 in the region") {
		t.Errorf("%v", err)
	}
}
