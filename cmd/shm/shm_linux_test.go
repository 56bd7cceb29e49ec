package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

func TestUsage(t *testing.T) {
	dir := testDir(t)
	write(t, dir, "text", []byte("no region"))
	for _, tt := range []struct {
		args   string
		status int
		err    string // part of what stands on standard error; "" is nothing at all
	}{
		{"", 2, "which verb?"},
		{"bogus", 2, `unknown command "bogus"`},
		{"help bogus", 2, `unknown command "bogus"`},
		{"ls feed", 2, "1 arguments, want shm ls"},
		{"inspect", 2, "0 arguments, want shm inspect REGION [OBJECT]"},
		{"inspect a b c", 2, "3 arguments"},
		{"inspect --bogus feed", 2, "unknown flag"},
		{"check", 2, "0 arguments, want shm check REGION"},
		{"check fe+ed", 2, `"fe+ed"`},
		{"inspect nope", 1, "no region nope in " + dir + ": shm ls shows what is there"},
		{"check nope", 1, "no region nope in " + dir + ": shm ls shows what is there"},
		{"inspect ./nope", 1, `no region at "./nope"`},
		{"inspect text", 1, "text: 9 bytes, want at least 4096: not a region: shm ls shows what is in " + dir},
		{"inspect " + dir + "/text", 1, "text: 9 bytes, want at least 4096: not a region\n"},
		{"inspect /proc/self/fd/x", 1, `no region at "/proc/self/fd/x"`},
		{"inspect /proc/self/fd/1000000", 1, `no region at "/proc/self/fd/1000000"`},
		{"inspect /proc/0/fd/1", 1, `no region at "/proc/0/fd/1"`},
		{"--help", 0, ""},
		{"help", 0, ""},
		{"help inspect", 0, ""},
		{"ls", 0, ""},
	} {
		r := shmTool(t, strings.Fields(tt.args)...)
		if r.status != tt.status || !strings.Contains(r.err, tt.err) || tt.err == "" && r.err != "" {
			t.Errorf("shm %s: status %d, %q; want %d, %q", tt.args, r.status, r.err, tt.status, tt.err)
		}
		if tt.status != 0 && r.out != "" {
			t.Errorf("shm %s: prints %q", tt.args, r.out)
		}
	}
}

// leaves makes an ephemeral region and is killed in it.
var leaves = testproc.Role("leaves", func(args []string) {
	_, err := shm.Create("left", &shm.Options{Size: 1 << 20, Ephemeral: true})
	testproc.Must(err)
	testproc.Say("here")
	testproc.Hear()
})

func TestLs(t *testing.T) {
	dir := testDir(t)
	if r := shmTool(t, "ls"); r.status != 0 || r.out != "no regions in "+dir+"\n" {
		t.Errorf("of nothing: %d, %q", r.status, r.out)
	}
	if r := shmTool(t, "ls", "--json"); r.status != 0 || r.out != "[]\n" {
		t.Errorf("of nothing: %d, %q", r.status, r.out)
	}
	feed := testproc.Get(shm.Create("feed", &shm.Options{Size: 4 << 20, Participants: 8}))(t)
	defer feed.Close()
	for _, name := range []string{"a", "b", "c"} {
		testproc.Get(atomics.OpenValue(feed, name, 1))(t)
	}
	c := leaves.Start(t)
	c.Expect("here")
	c.Kill()
	write(t, dir, "text", []byte(strings.Repeat("no region", 1000)))
	damaged := testproc.Get(os.ReadFile(filepath.Join(dir, "feed")))(t)
	damaged[88]++ // the header's sum
	write(t, dir, "hurt", damaged)

	r := shmTool(t, "ls")
	lines := strings.Split(r.out, "\n")
	if r.status != 0 || len(lines) != 5 {
		t.Fatalf("status %d\n%s", r.status, r.out)
	}
	for i, want := range [][]string{
		{"region", "size", "memory", "attached", "objects", "age"},
		{"feed", "4 MiB", "1 of 8", "  3  ", " s"},
		{"hurt", "the header's sum is"},
		{"left", "1 MiB", "0 of 64", "ephemeral, stale"},
	} {
		for _, w := range want {
			if !strings.Contains(lines[i], w) {
				t.Errorf("no %q in %q", w, lines[i])
			}
		}
	}
	var infos []shm.Info
	r = shmTool(t, "ls", "--json")
	if err := json.Unmarshal([]byte(r.out), &infos); err != nil || len(infos) != 3 || infos[0].Objects != 3 || !infos[2].Stale || infos[0].Stale {
		t.Errorf("%v: %s", err, r.out)
	}
	if _, err := os.Stat(filepath.Join(dir, "left")); err != nil {
		t.Errorf("ls took away what was left: %v", err)
	}

	for _, name := range []string{"left", filepath.Join(dir, "left")} {
		if r := shmTool(t, "inspect", name); r.status != 1 || !strings.Contains(r.err, name+" was ephemeral, and its last process has died") {
			t.Errorf("inspect of what was left: %d, %q", r.status, r.err)
		}
	}

	for _, name := range []string{"feed", "hurt", "left", "text"} {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		var out strings.Builder
		if status := run([]string{"ls"}, &out, &out); status != 0 || !strings.HasSuffix(out.String(), "(4 files that you may not read were left out)\n") {
			t.Errorf("of what may not be read: %d\n%s", status, &out)
		}
	})

	t.Setenv("TANDEM_DIR", filepath.Join(dir, "none"))
	if r := shmTool(t, "ls"); r.status != 1 || !strings.Contains(r.err, filepath.Join(dir, "none")) {
		t.Errorf("of no directory: %d, %q", r.status, r.err)
	}
}

// asNobody calls f as one who may not read everything.
func asNobody(t *testing.T, f func()) {
	if os.Geteuid() == 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer unix.Setfsuid(0)
	}
	f()
}

// What has no name is inspected by a descriptor of who has it.
func TestInspectAnonymous(t *testing.T) {
	r := testproc.Get(shm.Anonymous(&shm.Options{Size: 1 << 20}))(t)
	defer r.Close()
	testproc.Get(atomics.OpenValue(r, "count", 1041))(t)
	fds := testproc.Get(os.ReadDir("/proc/self/fd"))(t)
	found := false
	for _, fd := range fds {
		path := "/proc/self/fd/" + fd.Name()
		if to, _ := os.Readlink(path); !strings.HasPrefix(to, "/memfd:") {
			continue
		}
		for _, path := range []string{path, fmt.Sprintf("/proc/%d/fd/%s", os.Getpid(), fd.Name())} {
			in := shmTool(t, "inspect", path)
			if in.status == 0 {
				found = true
				if !strings.Contains(in.out, "anonymous") || !strings.Contains(in.out, "1041") || !strings.Contains(in.out, "1 participants of ") {
					t.Errorf("%s: %d, %q\n%s", path, in.status, in.err, in.out)
				}
				if c := shmTool(t, "check", path); c.status != 0 {
					t.Errorf("check %s: %d, %q, %q", path, c.status, c.out, c.err)
				}
			}
		}
		if w, err := shm.Open(path, nil); err == nil {
			w.Close()
			t.Error("it was attached to by that name, and not only looked at")
		}
	}
	if !found {
		t.Error("no descriptor shows it")
	}
}

func TestCheck(t *testing.T) {
	dir := testDir(t)
	feed := testproc.Get(shm.Create("feed", &shm.Options{Size: 1 << 20, Participants: 2, Objects: 8}))(t)
	defer feed.Close()
	testproc.Get(atomics.OpenValue(feed, "a", 1))(t)
	testproc.Get(atomics.OpenValue(feed, "b", 1))(t)
	if r := shmTool(t, "check", "feed"); r.status != 0 || r.out != "feed: nothing is wrong\n" || r.err != "" {
		t.Errorf("of what is whole: %d, %q, %q", r.status, r.out, r.err)
	}
	b := testproc.Get(os.ReadFile(filepath.Join(dir, "feed")))(t)
	newer := slices.Clone(b)
	const entries = 4096 + 2*256 + 128 + 2*512
	for _, i := range []int{entries, entries + 320} {
		if b[i] != 1 {
			t.Fatalf("no live entry at %d", i)
		}
		b[i+16]++ // the hash of its name
	}
	write(t, dir, "hurt", b)
	if r := shmTool(t, "inspect", "hurt"); r.status != 1 || !strings.Contains(r.out, "damage: ") {
		t.Errorf("inspect of what is damaged: %d\n%s", r.status, r.out)
	}
	r := shmTool(t, "check", "hurt")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if r.status != 1 || len(lines) < 2 || r.err != "" {
		t.Errorf("of what is damaged: %d, %q, %q", r.status, r.out, r.err)
	}
	for _, l := range lines {
		if !strings.HasPrefix(l, "hurt: ") || !strings.HasSuffix(l, "region is corrupt") {
			t.Errorf("a finding: %q", l)
		}
	}
	binary.LittleEndian.PutUint32(newer[entries+4:], 99) // its kind
	write(t, dir, "newer", newer)
	if r := shmTool(t, "check", "newer"); r.status != 0 || r.out != "newer: object a: kind 99 is unknown here, and was not checked\nnewer: nothing is wrong\n" {
		t.Errorf("of a kind that this build does not know: %d, %q, %q", r.status, r.out, r.err)
	}
	binary.LittleEndian.PutUint32(b[40:], 3) // participants, which the header's sum covers
	write(t, dir, "hurt", b)
	if r := shmTool(t, "check", "hurt"); r.status != 1 || !strings.Contains(r.err, "region is corrupt") {
		t.Errorf("of a damaged header: %d, %q, %q", r.status, r.out, r.err)
	}
}

// One object shows all there is to know of it: values, fills and leases.
func TestInspectObject(t *testing.T) {
	testDir(t)
	sys.SetName("evil\x1b[2J\n\u202ename")
	feed := testproc.Get(shm.Create("feed", &shm.Options{Size: 4 << 20}))(t)
	defer feed.Close()
	testproc.Get(atomics.OpenValue(feed, "balance", int64(-5)))(t)
	testproc.Get(atomics.OpenArray[float32](feed, "weights", 3))(t).CopyFrom([]float32{0.5, -1.25, 3})
	testproc.Get(atomics.OpenValue(feed, "pair", struct{ A, B int32 }{1, -2}))(t)
	testproc.Get(atomics.OpenValue(feed, "track", struct {
		At   int64
		Up   bool
		XYZ  [3]float32
		Legs [2]struct{ Length uint16 }
	}{-7, true, [3]float32{0.5, 1, -2}, [2]struct{ Length uint16 }{{3}, {4}}}))(t)
	testproc.Get(atomics.OpenArray[[3]uint8](feed, "pixels", 12))(t).Store(1, [3]uint8{1, 2, 255})
	copy(testproc.Get(atomics.OpenSlice[uint16](feed, "ports", 4))(t).Data(), []uint16{80, 443})
	jobs := testproc.Get(ring.OpenQueue[string](feed, "jobs", &ring.QueueOptions{Capacity: 4}))(t)
	for _, s := range []string{"x", "y"} {
		if err := jobs.Put(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	testproc.Get(jobs.Lease(t.Context()))(t)
	for object, want := range map[string][]string{
		"balance": {"kind value", "value -5", "type . int64 @0", "open in #0.1 (evil?[2J??name, pid "},
		"weights": {"length 3", "value 0.5 -1.25 3"},
		"ports":   {"length 4", "value 80 443 0 0"},
		"pair":    {"value {A: 1, B: -2}"},
		"track":   {"kind value", "value {At: -7, Up: true, XYZ: [0.5 1 -2], Legs[].Length: [3 4]}"},
		"pixels":  {"length 12", "value [0 0 0] [1 2 255] [0 0 0] [0 0 0] [0 0 0] [0 0 0] [0 0 0] [0 0 0] …"},
		"jobs":    {"fill 1 and 1 on lease of 4", "lease 1 of #0.1 (evil?[2J??name, pid ", "capacity 4", "codec text"},
	} {
		r := shmTool(t, "inspect", "feed", object)
		for _, w := range want {
			if !strings.Contains(strings.Join(strings.Fields(r.out), " "), w) {
				t.Errorf("no %q in\n%s%s", w, r.out, r.err)
			}
		}
		if r.status != 0 || strings.ContainsAny(r.out, "\x1b\r\u202e") {
			t.Errorf("%s: %d, %q", object, r.status, r.out)
		}
		r = shmTool(t, "inspect", "feed", object, "--json")
		var o shm.ObjectState
		if err := json.Unmarshal([]byte(r.out), &o); err != nil || o.Name != object || len(o.OpenIn) != 1 {
			t.Errorf("%s: %v: %s", object, err, r.out)
		}
	}
	if r := shmTool(t, "inspect", "feed", "nope"); r.status != 1 || !strings.Contains(r.err, `no object "nope" in region feed: shm inspect feed shows what is there`) {
		t.Errorf("of no object: %d, %q", r.status, r.err)
	}
	r := shmTool(t, "inspect", "feed", "--json")
	var s shm.Snapshot
	if err := json.Unmarshal([]byte(r.out), &s); err != nil || s.Participants[0].Name != sys.Name() || strings.ContainsAny(r.out, "\x1b\r\u202e") {
		t.Errorf("%v, %v: %q", err, s.Participants, r.out)
	}
	if r := shmTool(t, "inspect", "feed"); strings.ContainsAny(r.out, "\x1b\r\u202e") || !strings.Contains(r.out, "evil?[2J??name") {
		t.Errorf("%q", r.out)
	}
}

// A listener shows who listens, and with which connections; a connection how much of it is
// not read, and by whom.
func TestInspectStreams(t *testing.T) {
	testDir(t)
	sys.SetName("teller")
	feed := testproc.Get(shm.Create("feed", &shm.Options{Size: 4 << 20}))(t)
	defer feed.Close()
	l := testproc.Get(ring.Listen(feed, "web", &ring.ListenOptions{Buffer: 4096, Backlog: 3}))(t)
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	d := testproc.Get(ring.Dial(t.Context(), feed, "web"))(t)
	defer d.Close()
	a := <-accepted
	defer a.Close()
	testproc.Get(d.Write([]byte("hello")))(t)
	me := fmt.Sprintf("#0.1 (%s, pid %d)", sys.Name(), os.Getpid())
	state := "5 of 8192 bytes, written 5 and 0, dialer " + me + ", whose peer has 5 unread, acceptor " + me + ", whose peer has 0 unread"
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"inspect", "feed"}, []string{"1 objects of 1024, 0 removed and still open, 1 connections, ",
			"0 of 3, listening " + me + " backlog=3 buffer=4096 ", "connection since bytes state web ", " KiB " + state}},
		{[]string{"inspect", "feed", "web"}, []string{"kind listener", "fill 0 of 3", "listens " + me, "connection since ", ": " + state}},
	} {
		r := shmTool(t, tt.args...)
		for _, w := range tt.want {
			if r.status != 0 || !strings.Contains(strings.Join(strings.Fields(r.out), " "), w) {
				t.Errorf("no %q in\n%s%s", w, r.out, r.err)
			}
		}
	}
	r := shmTool(t, "inspect", "feed", "--json")
	var s struct {
		Directory struct{ Streams int }
		Streams   []shm.ObjectState
	}
	if err := json.Unmarshal([]byte(r.out), &s); err != nil || s.Directory.Streams != 1 || len(s.Streams) != 1 {
		t.Fatalf("%v: %s", err, r.out)
	}
	c := s.Streams[0]
	if c.Name != "web" || c.Kind != "stream" || c.Len != 5 || c.Cap != 8192 || c.Value != "written 5 and 0" || len(c.Holders) != 2 || c.Holders[0].What != "dialer" || c.Holders[0].N != 5 {
		t.Errorf("%+v", c)
	}
	r = shmTool(t, "inspect", "feed", "web", "--json")
	var o shm.ObjectState
	if err := json.Unmarshal([]byte(r.out), &o); err != nil || o.Kind != "listener" || o.Cap != 3 || len(o.Holders) != 1 || o.Holders[0].PID != os.Getpid() {
		t.Errorf("%v: %s", err, r.out)
	}
}
