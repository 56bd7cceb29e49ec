package proc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
)

// What the test binary does instead of running tests, and where.
const modeVar = "TANDEM_PROC_TEST"

// modes are some of them, by name.
var modes = map[string]func(){}

// gateVar names what a child waits at before it does anything at all.
const gateVar = "TANDEM_PROC_TEST_GATE"

// errBeforeMain is what Start said before Main, in this process.
var errBeforeMain error

func TestMain(m *testing.M) {
	if gate := os.Getenv(gateVar); gate != "" { // a fifo: until it has been opened for writing, and closed
		os.Unsetenv(gateVar)
		os.ReadFile(gate)
	}
	_, errBeforeMain = ends.Start(context.Background(), how{}, nil)
	if os.Getenv(modeVar) == "no Main" {
		if !errors.Is(errBeforeMain, proc.ErrNoMain) {
			fmt.Printf("Start = %v\n", errBeforeMain)
			os.Exit(1)
		}
		os.Exit(0)
	}
	proc.Main()
	if mode := modes[os.Getenv(modeVar)]; mode != nil {
		mode()
	}
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // else each child of a -race run takes a second to exit
	}
	if os.Getenv(modeVar) == "deleted" {
		check(os.Remove(os.Args[0]))
		p, err := ends.Start(context.Background(), how{Do: "exit", Code: 8}, nil)
		check(err)
		p.Wait(context.Background())
		code, _ := p.ExitCode()
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func start[A any](t *testing.T, f proc.Func[A], arg A, o *proc.Options) *proc.Process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p, err := f.Start(ctx, arg, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
		cancel()
	})
	return p
}

// wantCode waits for the end of p.
func wantCode(t *testing.T, p *proc.Process, want int) {
	t.Helper()
	err := p.Wait(testproc.Watchdog(t))
	code, ok := p.ExitCode()
	if !ok || code != want {
		t.Errorf("%s: exit code %d, %v, want %d", p.Name(), code, ok, want)
	}
	var exit *proc.ExitError
	if want == 0 && err != nil || want != 0 && (!errors.As(err, &exit) || exit.Code != want || exit.PID != p.PID() || exit.Name != p.Name()) {
		t.Errorf("%s: Wait = %v with exit code %d", p.Name(), err, code)
	}
	if p.Alive() {
		t.Errorf("%s is alive after Wait", p.Name())
	}
}
