package verbs

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/ring"
)

// Of streams the first argument names the listener, and the second, where there is one, what
// the actor calls its connection.

const streamBuffer = 4096

// halves is what a connection is, and net.TCPConn, too.
type halves interface {
	net.Conn
	CloseRead() error
	CloseWrite() error
}

// netted is Ringed, of what package net's calls may say.
func netted(err error) string {
	for is, text := range map[error]string{syscall.ECONNREFUSED: "refused", syscall.ECONNRESET: "reset", syscall.EADDRINUSE: "in use", os.ErrDeadlineExceeded: "deadline", net.ErrClosed: "closed"} {
		if errors.Is(err, is) {
			return text
		}
	}
	return Ringed(err)
}

func streamOf(e *actor.Env, args []string) halves {
	return actor.Handle(e, "stream "+named(args), func() (halves, error) { return nil, errors.New("no connection") })
}

func listenerOf(e *actor.Env, args []string) net.Listener {
	return actor.Handle(e, "listener "+args[0], func() (net.Listener, error) { return nil, errors.New("no listener") })
}

// kept is the outcome of what makes a connection, which gets a name.
func kept(e *actor.Env, args []string, c net.Conn, err error) string {
	if err == nil {
		actor.Handle(e, "stream "+named(args), func() (halves, error) { return c.(halves), nil })
	}
	return netted(err)
}

// until sets a deadline from args[i], a duration, if there is one.
func until(set func(time.Time) error, args []string, i int) {
	at := time.Time{}
	if i < len(args) {
		at = time.Now().Add(actor.Opened(time.ParseDuration(args[i])))
	}
	set(at) // of what is closed the call itself says so
}

var (
	_ = actor.Verb("stream.listen", func(e *actor.Env, args []string) string {
		l, err := ring.Listen(e.Region, args[0], &ring.ListenOptions{Buffer: streamBuffer, Backlog: 2})
		if err == nil {
			e.Drop("listener " + args[0])
			actor.Handle(e, "listener "+args[0], func() (net.Listener, error) { return l, nil })
		}
		return netted(err)
	})
	_ = actor.Verb("stream.unlisten", func(e *actor.Env, args []string) string { return netted(listenerOf(e, args).Close()) })
	_ = actor.Verb("stream.accept", func(e *actor.Env, args []string) string { // as
		c, err := listenerOf(e, args).Accept()
		return kept(e, args, c, err)
	})
	_ = actor.Verb("stream.dial", func(e *actor.Env, args []string) string { // as, [timeout]
		ctx, cancel := e.Within(args, 2)
		defer cancel()
		c, err := ring.Dial(ctx, e.Region, args[0])
		return kept(e, args, c, err)
	})
	_ = actor.Verb("stream.write", func(e *actor.Env, args []string) string { // as, text
		_, err := streamOf(e, args).Write([]byte(args[2]))
		return netted(err)
	})
	// Writes so many bytes, each its number, and says how many.
	_ = actor.Verb("stream.writebytes", func(e *actor.Env, args []string) string { // as, how many, [timeout]
		c := streamOf(e, args)
		until(c.SetWriteDeadline, args, 3)
		n, err := c.Write(counted(0, int(numbers(args[2:3])[0])))
		return fmt.Sprintf("%d, %s", n, netted(err))
	})
	// Writes such bytes until it cannot.
	_ = actor.Verb("stream.flood", func(e *actor.Env, args []string) string { // as
		c := streamOf(e, args)
		for at := 0; ; at += 1000 {
			if _, err := c.Write(counted(at, 1000)); err != nil {
				return netted(err)
			}
		}
	})
	_ = actor.Verb("stream.read", func(e *actor.Env, args []string) string { // as, [timeout]
		c, b := streamOf(e, args), make([]byte, 64)
		until(c.SetReadDeadline, args, 2)
		n, err := c.Read(b)
		if err != nil {
			return netted(err)
		}
		return strconv.Quote(string(b[:n]))
	})
	// Reads so many such bytes.
	_ = actor.Verb("stream.readbytes", func(e *actor.Env, args []string) string { // as, how many
		b := make([]byte, numbers(args[2:3])[0])
		n, err := io.ReadFull(streamOf(e, args), b)
		if string(b[:n]) != string(counted(0, n)) {
			return "wrong"
		}
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		return fmt.Sprintf("%d, %s", n, netted(err))
	})
	// Reads such bytes to the end, of whatever kind, and says how many, and which.
	_ = actor.Verb("stream.readall", func(e *actor.Env, args []string) string { // as
		c, b := streamOf(e, args), make([]byte, 777)
		for at := 0; ; {
			n, err := c.Read(b)
			if string(b[:n]) != string(counted(at, n)) {
				return fmt.Sprintf("wrong in %d from %d on", n, at)
			}
			if at += n; err != nil {
				return fmt.Sprintf("%d, %s", at, netted(err))
			}
		}
	})
	_ = actor.Verb("stream.closewrite", func(e *actor.Env, args []string) string { return netted(streamOf(e, args).CloseWrite()) })
	_ = actor.Verb("stream.closeread", func(e *actor.Env, args []string) string { return netted(streamOf(e, args).CloseRead()) })
	_ = actor.Verb("stream.close", func(e *actor.Env, args []string) string { return netted(streamOf(e, args).Close()) })
)

// counted are n bytes from number at on.
func counted(at, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((at + i) % 251)
	}
	return b
}
