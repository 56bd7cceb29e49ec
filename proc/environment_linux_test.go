package proc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
)

func itoa(n int) string { return strconv.Itoa(n) }

// surroundings tells what the child finds.
var surroundings = proc.Register("surroundings", func(ctx context.Context, _ struct{}) error {
	dir, err := os.Getwd()
	comm, _ := os.ReadFile("/proc/self/comm")
	fmt.Printf("dir %s %s\nname %s\ncomm %sargs %q\nmain %v\n", dir, os.Getenv("PWD"), sys.Name(), comm, os.Args, errBeforeMain)
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "TANDEM_PROC") {
			fmt.Println("env", kv)
		}
	}
	return err
})

// X19: also a child may start nothing before its Main.
func TestSurroundings(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	check(err)
	var out bytes.Buffer
	p := start(t, surroundings, struct{}{}, &proc.Options{
		Name: "crawler 3", Dir: dir, Env: []string{"TANDEM_PROC_X=1", "TANDEM_PROC_Y=2"}, Stdout: &out,
	})
	wantCode(t, p, 0)
	want := fmt.Sprintf("dir %s %s\nname crawler 3\ncomm crawler 3\nargs %q\nmain proc.Start ends: %v\nenv TANDEM_PROC_X=1\nenv TANDEM_PROC_Y=2\n",
		dir, dir, os.Args, proc.ErrNoMain)
	if out.String() != want {
		t.Errorf("the child said\n%swant\n%s", out.String(), want)
	}
}

// X19.
func TestNoMain(t *testing.T) {
	cmd := exec.CommandContext(testproc.Watchdog(t), "/proc/self/exe")
	cmd.Env = append(os.Environ(), modeVar+"=no Main")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// A process that has the variable but is no child must not run as a parent.
func TestForeignVariable(t *testing.T) {
	for _, v := range []string{"", "1", "1:token", "x:token"} {
		cmd := exec.CommandContext(testproc.Watchdog(t), "/proc/self/exe")
		cmd.Env = append(os.Environ(), "TANDEM_PROC_CHILD="+v)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "TANDEM_PROC_CHILD") {
			t.Errorf("with %q: %v: %s", v, err, out)
		}
	}
}

// The executable is gone, as after an update.
func TestDeletedExecutable(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "program")
	data, err := os.ReadFile("/proc/self/exe")
	check(err)
	check(os.WriteFile(exe, data, 0o755))
	cmd := exec.CommandContext(testproc.Watchdog(t), exe)
	cmd.Env = append(os.Environ(), modeVar+"=deleted")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 8 {
		t.Errorf("%v: %s", err, out)
	}
}

// descriptors lists what is open beyond the runtime's own.
var descriptors = proc.Register("descriptors", func(ctx context.Context, _ struct{}) error {
	names, err := filepath.Glob("/proc/self/fd/*")
	for _, name := range names {
		to, err := os.Readlink(name)
		if err == nil && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/proc/") && !strings.HasPrefix(to, "/sys/fs/cgroup/") {
			fmt.Println(filepath.Base(name), strings.Fields(to)[0])
		}
	}
	return err
})

// P18.
func TestDescriptors(t *testing.T) {
	// One that this process could have inherited, far from the others, and
	// siblings with pipes.
	fd, err := unix.FcntlInt(0, unix.F_DUPFD, 900)
	check(err)
	defer unix.Close(fd)
	for range 5 {
		startTalk(t, ends, how{Do: "stdin"}, proc.Options{}).expect(t, "ready")
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	check(err)
	defer out.Close()
	wantCode(t, start(t, descriptors, struct{}{}, &proc.Options{Stdout: out, Stderr: out}), 0)
	got, err := os.ReadFile(out.Name())
	check(err)
	want := fmt.Sprintf("0 /dev/null\n1 %s\n2 %s\n3 /memfd:tandem-child\n", out.Name(), out.Name())
	if string(got) != want {
		t.Errorf("the child has\n%swant\n%s", got, want)
	}
}

// closer closes its own output, in each of two ways, and starts a child that
// writes to it.
var closer = proc.Register("closer", func(ctx context.Context, raw bool) error {
	if raw {
		syscall.Close(1)
		syscall.Close(2)
	} else {
		os.Stdout.Close()
		os.Stderr.Close()
	}
	p, err := ends.Start(ctx, how{Do: "error"}, nil)
	if err != nil {
		return err
	}
	p.Wait(ctx)
	code, _ := p.ExitCode()
	os.Exit(40 + code)
	return nil
})

// X17.
func TestClosedOutput(t *testing.T) {
	for _, raw := range []bool{false, true} {
		wantCode(t, start(t, closer, raw, nil), 41)
	}
}

// X17: the last words of a child whose stderr nobody reads.
func TestBrokenStderr(t *testing.T) {
	r, w, err := os.Pipe()
	check(err)
	r.Close()
	p := start(t, ends, how{Do: "error"}, &proc.Options{Stderr: w})
	w.Close()
	wantCode(t, p, 1)
}

func TestStdin(t *testing.T) {
	var out bytes.Buffer
	p := start(t, echo, struct{}{}, &proc.Options{Stdin: strings.NewReader("a\nb\n"), Stdout: &out})
	wantCode(t, p, 0)
	if want := fmt.Sprintf("pid %d\necho a\necho b\n", p.PID()); out.String() != want {
		t.Errorf("echo said %q, want %q", out.String(), want)
	}

	// A Reader that never returns keeps nobody waiting.
	r, w := io.Pipe()
	defer w.Close()
	wantCode(t, start(t, ends, how{}, &proc.Options{Stdin: r}), 0)

	// Nor does a child that does not read.
	wantCode(t, start(t, ends, how{}, &proc.Options{Stdin: strings.NewReader(strings.Repeat("x", 1<<20))}), 0)

	// A Reader that fails is not taken for the end of the input.
	p = start(t, ends, how{Do: "stdin"}, &proc.Options{Stdin: iotest.ErrReader(fs.ErrPermission), Stdout: io.Discard})
	if err := p.Wait(testproc.Watchdog(t)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Wait after a failed Reader = %v", err)
	}
	if code, ok := p.ExitCode(); code != 0 || !ok {
		t.Errorf("ExitCode after a failed Reader = %d, %v", code, ok)
	}
}

// abandoner leaves a process behind that has its stdout.
var abandoner = proc.Register("abandoner", func(ctx context.Context, _ struct{}) error {
	_, err := echo.Start(ctx, struct{}{}, &proc.Options{Stdin: os.Stdin, KeepOnExit: true})
	return err
})

// Output that others hold open delays the end of a process, but not for ever.
func TestOutputHeldOpen(t *testing.T) {
	defer proc.SetOutputDelay(20 * time.Millisecond)()
	in, w, err := os.Pipe()
	check(err)
	defer w.Close() // ends echo
	p := start(t, abandoner, struct{}{}, &proc.Options{Stdin: in, Stdout: new(bytes.Buffer)})
	in.Close()
	if err := p.Wait(testproc.Watchdog(t)); !errors.Is(err, exec.ErrWaitDelay) {
		t.Errorf("Wait = %v, want %v", err, exec.ErrWaitDelay)
	}
	if code, ok := p.ExitCode(); code != 0 || !ok {
		t.Errorf("ExitCode = %d, %v", code, ok)
	}
}

func TestBadOptions(t *testing.T) {
	for _, tt := range []struct {
		o    proc.Options
		want error
	}{
		{proc.Options{Grace: -1}, fs.ErrInvalid},
		{proc.Options{Dir: "/nonexistent"}, fs.ErrNotExist},
	} {
		if p, err := ends.Start(context.Background(), how{}, &tt.o); !errors.Is(err, tt.want) {
			t.Errorf("Start(%+v) = %v, %v, want %v", tt.o, p, err, tt.want)
		}
	}
}

// Neither zombies nor goroutines nor descriptors stay. A Start that fails
// leaves none either.
func TestNothingIsLeft(t *testing.T) {
	proc.WaitAll(testproc.Watchdog(t))
	count := func() [2]int {
		fds, err := os.ReadDir("/proc/self/fd")
		check(err)
		return [2]int{runtime.NumGoroutine(), len(fds)}
	}
	round := func() {
		for range 5 {
			ctx, cancel := context.WithCancel(context.Background())
			p, err := ends.Start(ctx, how{Do: "stdin"}, &proc.Options{Stdin: strings.NewReader("x"), Stdout: new(bytes.Buffer)})
			check(err)
			p.Wait(testproc.Watchdog(t))
			cancel()
			if _, err := ends.Start(context.Background(), how{}, &proc.Options{Dir: "/nonexistent", Stdin: strings.NewReader("x")}); err == nil {
				t.Error("no error from a directory that is not there")
			}
		}
	}
	round()
	before := count()
	round()
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
		after := count()
		if after[0] <= before[0] && after[1] <= before[1] {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("goroutines and descriptors: %v, before: %v", after, before)
		}
	}
	if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != unix.ECHILD {
		t.Errorf("waitid = %v: there are children left", err)
	}
}
