package golden

import (
	"io"
	"syscall"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// Both who were killed held an end: what they had sent is there, then the end.
func TestReadPipe(t *testing.T) {
	r := openImage(t, "pipe").Existing()
	ctx := testproc.Watchdog(t)

	for _, end := range []ring.End{ring.Left, ring.Right} {
		_, err := ring.OpenPipe[string](r, "talk", end, nil)
		wantErr(t, "an end that died", err, syscall.EPIPE)
	}
	idle := check(ring.OpenPipe[point](r, "idle", ring.Right, nil))(t)
	_, err := idle.Recv(ctx)
	wantErr(t, "idle", err, io.EOF)
	wantErr(t, "Send", idle.Send(ctx, point{}), syscall.EPIPE)

	again := check(ring.OpenPipe[string](openImage(t, "pipe"), "talk", ring.Left, &ring.PipeOptions{Buffer: 64}))(t)
	want(t, "a pipe anew", again.Send(ctx, "x"), nil)
}
