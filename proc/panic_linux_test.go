package proc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
)

// A Wild is an argument whose own code panics, or ends its goroutine, on the
// way out of this process or on the way into the child.
type Wild struct{ where, how string }

func (w *Wild) MarshalBinary() ([]byte, error) {
	w.act("out")
	return []byte(w.where + " " + w.how), nil
}

func (w *Wild) UnmarshalBinary(b []byte) error {
	w.where, w.how, _ = strings.Cut(string(b), " ")
	w.act("in")
	return nil
}

func (w *Wild) act(where string) {
	switch {
	case where != w.where:
	case w.how == "panic":
		panic("wild")
	default:
		runtime.Goexit()
	}
}

// The region is encoded first.
type wildRoom struct {
	Region *shm.Region
	Wild   *Wild
}

var takesWild = proc.Register("takes wild", func(context.Context, wildRoom) error { return nil })

// An argument's encoder that panics: Start has started nothing, and holds
// nothing of the regions that were to go along.
func TestArgumentEncoderPanics(t *testing.T) {
	path, r := house(t)
	other, err := shm.Anonymous(&shm.Options{Size: 1 << 20})
	check(err)
	defer other.Close()
	before := openDescriptors(t)
	for _, how := range []string{"panic", "exit"} {
		want := any("wild")
		if how == "exit" {
			want = testproc.Exit
		}
		for range 3 {
			got := testproc.EndOf(func() {
				_, err := takesWild.Start(context.Background(), wildRoom{r, &Wild{"out", how}}, &proc.Options{Regions: []*shm.Region{r, other}})
				t.Error(err)
			})
			if got != want {
				t.Errorf("Start ends with %v, want %v", got, want)
			}
		}
	}
	if n := openDescriptors(t); n != before {
		t.Errorf("%d descriptors are open, %d before", n, before)
	}
	wantCode(t, start(t, takesWild, wildRoom{r, nil}, nil), 0)
	check(r.Close())
	if there(path) {
		t.Error("the ephemeral region is there after its last user")
	}
}

// An argument's decoder that panics, or ends its goroutine, ends the child.
func TestArgumentDecoderPanics(t *testing.T) {
	for how, want := range map[string]string{
		"panic": "panic: wild",
		"exit":  "takes wild: proc: runtime.Goexit in what decodes the argument of a process\n",
	} {
		var stderr bytes.Buffer
		wantCode(t, start(t, takesWild, wildRoom{nil, &Wild{"in", how}}, &proc.Options{Stderr: &stderr}), 2)
		if !strings.HasPrefix(stderr.String(), want) {
			t.Errorf("stderr %q, want %q", stderr.String(), want)
		}
	}
}

// goner is a Reader that ends the goroutine that reads it, as a t.FailNow does.
type goner struct{}

func (goner) Read([]byte) (int, error) {
	runtime.Goexit()
	return 0, errors.ErrUnsupported
}

// The child of a Stdin whose Reader ends its goroutine reads the end.
func TestStdinEndsItsGoroutine(t *testing.T) {
	wantCode(t, start(t, ends, how{Do: "stdin"}, &proc.Options{Stdin: goner{}, Stdout: io.Discard}), 0)
}
