package contract_test

import (
	"os"
	"os/signal"
	"syscall"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
)

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // else each actor of a -race run takes a second to exit
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1) // rows send it, to any actor
	proc.Main()
	testproc.Main(m)
}
