package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
)

func TestMain(m *testing.M) { testproc.Main(m) }

// tool is the command in a process of its own.
var tool = testproc.Role("tool", func(args []string) { os.Exit(run(args, os.Stdout, os.Stderr)) })

// A result is what came of a run.
type result struct {
	out, err string
	status   int
	took     time.Duration
}

func shmTool(t *testing.T, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := tool.Command(args...)
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0") // a second, under the race detector
	cmd.Stdout, cmd.Stderr = &out, &errOut
	start := time.Now()
	err := cmd.Run()
	r := result{out.String(), errOut.String(), cmd.ProcessState.ExitCode(), time.Since(start)}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return r
}

// testDir is a directory of the test's own, on a tmpfs if there is one, and
// where regions are.
func testDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tandem-test-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("TANDEM_DIR", dir)
	return dir
}

func write(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}
