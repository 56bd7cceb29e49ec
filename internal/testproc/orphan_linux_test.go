package testproc

import (
	"errors"
	"os/exec"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

var waiting = Role("waiting", func([]string) {
	Say("here")
	select {}
})

// A child whose parent is gone ends, whatever it waits for.
func TestOrphanEnds(t *testing.T) {
	c := waiting.Command()
	c.Env = append(c.Env, parentVar+"=1")
	var exit *exec.ExitError
	if err := c.Run(); !errors.As(err, &exit) || exit.ExitCode() != orphaned {
		t.Errorf("an orphan ended with %v", err)
	}
	d := waiting.Start(t)
	d.Expect("here")
	d.Kill()
}
