//go:build race

package ring_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

type streamHandles struct {
	r                *shm.Region
	l                net.Listener // of "s"
	dialer, acceptor net.Conn
}

func mustDial(h streamHandles) {
	_, err := ring.Dial(bg, h.r, "s")
	testproc.Must(err)
}

func mustAccept(h streamHandles) {
	_, err := h.l.Accept()
	testproc.Must(err)
}

func mustWrite(c net.Conn) {
	_, err := c.Write([]byte("eight by"))
	testproc.Must(err)
}

func mustRead(c net.Conn) {
	_, err := io.ReadFull(c, make([]byte, 8))
	testproc.Must(err)
}

func mustEnd(c net.Conn) {
	if n, err := c.Read(make([]byte, 8)); n != 0 || err != io.EOF {
		testproc.Must(fmt.Errorf("Read = %d, %v, want the end", n, err))
	}
}

// mustBreak writes until that fails.
func mustBreak(c net.Conn, want error) {
	for {
		if _, err := c.Write(make([]byte, 8)); err != nil {
			if !errors.Is(err, want) {
				testproc.Must(err)
			}
			return
		}
	}
}

var streamConnPairs = []racetest.Pair[streamHandles]{
	{
		Name:   "Write, Read",
		First:  func(x *int, h streamHandles) { *x = 1; mustWrite(h.dialer) },
		Second: func(x *int, h streamHandles) { mustRead(h.acceptor); racetest.Sink = *x },
	}, {
		Name: "Write, Read after a copy from stream to stream",
		First: func(x *int, h streamHandles) {
			*x = 1
			mustWrite(h.acceptor)
			testproc.Must(h.acceptor.(*ring.StreamConn).CloseWrite())
		},
		Second: func(x *int, h streamHandles) {
			_, err := io.Copy(h.dialer, h.dialer)
			testproc.Must(err)
			mustRead(h.acceptor)
			racetest.Sink = *x
		},
	}, {
		Name:   "CloseWrite, the end",
		First:  func(x *int, h streamHandles) { *x = 1; testproc.Must(h.dialer.(*ring.StreamConn).CloseWrite()) },
		Second: func(x *int, h streamHandles) { mustEnd(h.acceptor); racetest.Sink = *x },
	}, {
		Name:   "Close, the end",
		First:  func(x *int, h streamHandles) { *x = 1; testproc.Must(h.dialer.Close()) },
		Second: func(x *int, h streamHandles) { mustEnd(h.acceptor); racetest.Sink = *x },
	}, {
		Name:   "Close, the end of a Write",
		First:  func(x *int, h streamHandles) { *x = 1; testproc.Must(h.dialer.Close()) },
		Second: func(x *int, h streamHandles) { mustBreak(h.acceptor, syscall.EPIPE); racetest.Sink = *x },
	}, {
		Name:   "CloseRead, the end of a Write",
		First:  func(x *int, h streamHandles) { *x = 1; testproc.Must(h.dialer.(*ring.StreamConn).CloseRead()) },
		Second: func(x *int, h streamHandles) { mustBreak(h.acceptor, syscall.EPIPE); racetest.Sink = *x },
	}, {
		Name:   "Write, Close of the other end",
		First:  func(x *int, h streamHandles) { *x = 1; mustWrite(h.dialer); flag.Come() },
		Second: func(x *int, h streamHandles) { flag.Wait(); testproc.Must(h.acceptor.Close()); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "SetWriteDeadline, the end of a Write",
		First:  func(x *int, h streamHandles) { *x = 1; testproc.Must(h.dialer.SetWriteDeadline(time.Unix(1, 0))) },
		Second: func(x *int, h streamHandles) { mustBreak(h.dialer, os.ErrDeadlineExceeded); racetest.Sink = *x },
	}, {
		Name:  "SetReadDeadline, the end of a Read",
		First: func(x *int, h streamHandles) { *x = 1; testproc.Must(h.dialer.SetReadDeadline(time.Unix(1, 0))) },
		Second: func(x *int, h streamHandles) {
			if _, err := h.dialer.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				testproc.Must(fmt.Errorf("Read: %v", err))
			}
			racetest.Sink = *x
		},
	}, {
		Name:   "Write, Write of the same end",
		First:  func(x *int, h streamHandles) { *x = 1; mustWrite(h.dialer); flag.Come() },
		Second: func(x *int, h streamHandles) { flag.Wait(); mustWrite(h.dialer); racetest.Sink = *x },
	}, {
		Name:   "Write, Write of the other end",
		First:  func(x *int, h streamHandles) { *x = 1; mustWrite(h.dialer); flag.Come() },
		Second: func(x *int, h streamHandles) { flag.Wait(); mustWrite(h.acceptor); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "Dial, Accept",
		First:  func(x *int, h streamHandles) { *x = 1; mustDial(h) },
		Second: func(x *int, h streamHandles) { mustAccept(h); racetest.Sink = *x },
	}, {
		Name:   "Accept, Dial",
		First:  func(x *int, h streamHandles) { *x = 1; mustAccept(h) },
		Second: func(x *int, h streamHandles) { mustDial(h); racetest.Sink = *x },
	}, {
		Name:   "Dial that is done, Dial",
		First:  func(x *int, h streamHandles) { go mustAccept(h); mustDial(h); *x = 1; flag.Come() },
		Second: func(x *int, h streamHandles) { flag.Wait(); go mustAccept(h); mustDial(h); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "Read, Write of the same end",
		First: func(x *int, h streamHandles) {
			mustWrite(h.acceptor)
			mustRead(h.dialer)
			*x = 1
			flag.Come()
		},
		Second: func(x *int, h streamHandles) { flag.Wait(); mustWrite(h.dialer); racetest.Sink = *x },
		Race:   true,
	},
}

var streamRacer = racetest.Role("stream racer", streamConnPairs, func() (h streamHandles) {
	var err error
	h.r, err = shm.Anonymous(nil)
	testproc.Must(err)
	h.l, err = ring.Listen(h.r, "s", nil)
	testproc.Must(err)
	accepted := make(chan net.Conn)
	go func() {
		c, err := h.l.Accept()
		testproc.Must(err)
		accepted <- c
	}()
	h.dialer, err = ring.Dial(bg, h.r, "s")
	testproc.Must(err)
	h.acceptor = <-accepted
	return h
})

func TestStreamRaceDetector(t *testing.T) { racetest.Run(t, streamRacer, streamConnPairs) }
