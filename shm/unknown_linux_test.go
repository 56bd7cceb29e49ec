package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// tenant: path. Takes m, says its index, and gives m back when it is told to.
var tenant = testproc.Role("tenant", func(args []string) { stay(args[0]) })

func stay(path string) {
	r, err := Open(path, nil)
	testproc.Must(err)
	m, _, err := lockable(r, "m")
	testproc.Must(err)
	testproc.Must(m.Lock(r.a.list.Waiter(context.Background())))
	testproc.Say("in record", r.Self().Index)
	testproc.Hear()
	testproc.Say("unlocked:", m.Unlock())
	testproc.Hear()
}

// sheltered: path. A tenant that may read no file below /proc.
var sheltered = testproc.Role("sheltered", func(args []string) {
	runtime.LockOSThread()
	err := forbidProc()
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		testproc.Say("no Landlock:", err)
		return
	}
	testproc.Must(err)
	if _, err := os.ReadFile("/proc/self/stat"); !errors.Is(err, unix.EACCES) {
		testproc.Must(fmt.Errorf("reading /proc/self/stat: %v, want EACCES", err))
	}
	cmd := tenant.Command(args...) // from its start, by execve in this thread
	testproc.Must(syscall.Exec(cmd.Path, cmd.Args, cmd.Environ()))
})

// forbidProc has Landlock deny this thread, and what it executes, the reading
// of files but those below the directories of / that are not /proc.
func forbidProc() error {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_READ_FILE}
	rules, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr.Handled_access_fs), 0) // the first version's
	if e != 0 {
		return e
	}
	top, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, d := range top {
		if !d.IsDir() || d.Name() == "proc" {
			continue
		}
		fd, err := unix.Open("/"+d.Name(), unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		below := unix.LandlockPathBeneathAttr{Allowed_access: unix.LANDLOCK_ACCESS_FS_READ_FILE, Parent_fd: int32(fd)}
		if _, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, rules, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&below)), 0, 0, 0); e != 0 {
			return e
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, e := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, rules, 0, 0); e != 0 {
		return e
	}
	return nil
}

// crowded: path. A tenant that had no descriptor left when it looked at itself
// first.
var crowded = testproc.Role("crowded", func(args []string) {
	testproc.Must(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}))
	var all []int
	for {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EMFILE) {
			break
		}
		testproc.Must(err)
		all = append(all, fd)
	}
	me.Store(nil)
	lookAtMyself()
	if m := me.Load(); !errors.Is(m.err, unix.EMFILE) || m.identity() != (region.Identity{PID: uint32(myPID)}) {
		testproc.Must(fmt.Errorf("without a descriptor: %+v, identity %+v", m, m.identity()))
	}
	for _, fd := range all {
		unix.Close(fd)
	}
	stay(args[0])
})

// A process that could not read when it started, or cannot now, lives, and so
// it is with all that it holds.
func TestUnknownIsNotDead(t *testing.T) {
	for _, tt := range []struct {
		role  testproc.RoleName
		known bool // by the time that it attaches
	}{{sheltered, false}, {crowded, true}} {
		t.Run(string(tt.role), func(t *testing.T) {
			path := testPath(t)
			r := testproc.Get(Create(path, nil))(t)
			defer r.Close()
			c := tt.role.Start(t, path)
			var index uint32
			line := c.Line()
			if strings.HasPrefix(line, "no Landlock") {
				t.Skip(line)
			}
			if _, err := fmt.Sscanf(line, "in record %d", &index); err != nil {
				t.Fatalf("child said %q", line)
			}
			rec := r.a.rec(index)
			if id, ok := rec.Identity(region.EpochOf(rec.Word())); !ok || me.Load().near(id) != tt.known {
				t.Errorf("its record: %+v, %v; want it known: %v", id, ok, tt.known)
			}
			for range 100 {
				if w := rec.Word(); r.a.proven(rec, w) {
					t.Fatalf("a living process is proven dead: %+v", r.Participants())
				}
			}
			c.Say("unlock")
			c.Expect("unlocked: <nil>")
			if ps := r.Participants(); len(ps) != 2 || ps[0].State != Alive || ps[1].State != Alive {
				t.Errorf("participants %+v, want two that are alive", ps)
			}
			// Its death is proven all the same: by its byte.
			ctx := deadline(t)
			exits := r.Exits(ctx)
			c.Kill()
			for e := range exits {
				if e.Index != int(index) || e.State != Dead {
					t.Errorf("exit of %+v, want the death of %d", e, index)
				}
				break
			}
			if ctx.Err() != nil {
				t.Error("nobody was told of its death")
			}
		})
	}
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testproc.Patience)
	t.Cleanup(cancel)
	return ctx
}

// What a record says of a process that does not know itself, by the offsets of
// docs/layout.md: no namespace and no start time, which earlier builds do not
// ask about either.
func TestRecordOfTheUnknown(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, &Options{Size: 1 << 20, Participants: 2}))(t)
	defer r.Close()
	never := errors.New("unreadable")
	knows := func() (uint64, error) { return 7<<32 | 5, nil }
	for _, tt := range []struct {
		name      string
		namespace func() (uint64, error)
		start     func() (uint64, error)
		ns, at    uint64
	}{
		{"known", knows, func() (uint64, error) { return 42, nil }, 7<<32 | 5, 42},
		{"started with the machine", knows, func() (uint64, error) { return 0, nil }, 7<<32 | 5, 0},
		{"no start time", knows, func() (uint64, error) { return 0, never }, 0, 0},
		{"half a start time", knows, func() (uint64, error) { return 4, never }, 0, 0},
		{"no namespace", func() (uint64, error) { return 0, never }, func() (uint64, error) { return 42, nil }, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.a.rec(1).Fill(readMyself(tt.namespace, tt.start).identity(), "somebody")
			b := testproc.Get(os.ReadFile(path))(t)[4096+256:][:256]
			if pid := binary.LittleEndian.Uint32(b[12:]); int(pid) != os.Getpid() {
				t.Errorf("pid %d", pid)
			}
			if ns, at := binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint64(b[32:]); ns != tt.ns || at != tt.at {
				t.Errorf("namespaces %#x, start time %d; want %#x, %d", ns, at, tt.ns, tt.at)
			}
		})
	}
}

var dweller = testproc.Role("dweller", func([]string) {
	testproc.Say("here")
	testproc.Hear()
})

// /proc is asked about a process only by one that knows that it is of the same
// namespaces, and that has something to compare.
func TestAskedOnlyOfTheKnown(t *testing.T) {
	c := dweller.Start(t)
	c.Expect("here")
	old := me.Load()
	if old.err != nil {
		t.Fatal(old.err)
	}
	pid, start := uint32(c.PID()), testproc.Get(sys.StartTime(c.PID()))(t)
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	over := uint32(ended.Process.Pid)
	for _, tt := range []struct {
		name string
		mine uint64 // namespace
		id   region.Identity
		dead bool
	}{
		{"all known", old.namespace, region.Identity{PID: pid, NS: old.namespace, Start: start}, false},
		{"another start time", old.namespace, region.Identity{PID: pid, NS: old.namespace, Start: start + 1}, true},
		{"no such process", old.namespace, region.Identity{PID: over, NS: old.namespace, Start: start}, true},
		{"start time unknown", old.namespace, region.Identity{PID: pid, NS: old.namespace, Start: 0}, false},
		{"start time unknown, and no such process", old.namespace, region.Identity{PID: over, NS: old.namespace, Start: 0}, true},
		{"its namespace unknown", old.namespace, region.Identity{PID: over, NS: 0, Start: start + 1}, false},
		{"mine unknown", 0, region.Identity{PID: over, NS: old.namespace, Start: start + 1}, false},
		{"neither namespace known", 0, region.Identity{PID: over, NS: 0, Start: start + 1}, false},
		{"another namespace", old.namespace, region.Identity{PID: over, NS: old.namespace + 1, Start: start + 1}, false},
		{"another time namespace", old.namespace, region.Identity{PID: pid, NS: old.namespace + 1<<32, Start: start + 1}, false},
	} {
		m := &myself{namespace: tt.mine}
		if got := m.gone(tt.id) || m.ended(tt.id); got != tt.dead {
			t.Errorf("%s: proven dead %v, want %v", tt.name, got, tt.dead)
		}
	}
}
