package verbs

import (
	"strconv"
	"strings"
	"time"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/ring"
)

const pipeBuffer = 4096

// pipeEnd opens what "p left" is called, or "p left 2", which is another handle; what begins
// with "one" goes one way.
func pipeEnd(e *actor.Env, name string) (*ring.Conn[[]byte], error) {
	of, end, _ := strings.Cut(name, " ")
	o := &ring.PipeOptions{Buffer: pipeBuffer, Direction: ring.Duplex}
	if strings.HasPrefix(of, "one") {
		o.Direction = ring.OneWay
	}
	at := ring.Right
	if strings.HasPrefix(end, "left") {
		at = ring.Left
	}
	return ring.OpenPipe[[]byte](e.Region, of, at, o)
}

// Conn is the actor's end of a pipe.
func Conn(e *actor.Env, name string) *ring.Conn[[]byte] {
	return actor.Handle(e, name, func() (*ring.Conn[[]byte], error) { return pipeEnd(e, name) })
}

// text is a message as it is told.
func text(b []byte, err error) string {
	if err != nil {
		return Ringed(err)
	}
	if len(b) > 100 {
		return strconv.Itoa(len(b)) + " bytes"
	}
	return strconv.Quote(string(b))
}

// named is the handle that a call's first two arguments name: the pipe, and its end.
func named(args []string) string { return args[0] + " " + args[1] }

var (
	// Opens the end, and says how that went.
	_ = actor.Verb("pipe.open", func(e *actor.Env, args []string) string {
		c, err := pipeEnd(e, named(args))
		if err != nil {
			return Ringed(err)
		}
		actor.Handle(e, named(args), func() (*ring.Conn[[]byte], error) { return c, nil })
		return "ok"
	})
	_ = actor.Verb("pipe.send", func(e *actor.Env, args []string) string { // text
		return Ringed(Conn(e, named(args)).Send(e.Ctx, []byte(args[2])))
	})
	_ = actor.Verb("pipe.sendbytes", func(e *actor.Env, args []string) string { // how many, [timeout]
		ctx, cancel := e.Within(args, 3)
		defer cancel()
		return Ringed(Conn(e, named(args)).Send(ctx, make([]byte, numbers(args[2:3])[0])))
	})
	_ = actor.Verb("pipe.recv", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 2)
		defer cancel()
		return text(Conn(e, named(args)).Recv(ctx))
	})
	_ = actor.Verb("pipe.poll", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 2)
		defer cancel()
		return Ringed(Conn(e, named(args)).Poll(ctx))
	})
	_ = actor.Verb("pipe.close", func(e *actor.Env, args []string) string { return Ringed(Conn(e, named(args)).Close()) })

	// Sends so many messages of different lengths, then closes.
	_ = actor.Verb("pipe.sendall", func(e *actor.Env, args []string) string {
		c := Conn(e, named(args))
		for i := range numbers(args[2:])[0] {
			if err := c.Send(e.Ctx, pattern(i)); err != nil {
				return Ringed(err)
			}
		}
		return Ringed(c.Close())
	})
	// Receives whole messages to the end, and says how many.
	_ = actor.Verb("pipe.recvall", func(e *actor.Env, args []string) string {
		c := Conn(e, named(args))
		for n := 0; ; n++ {
			b, err := c.Recv(e.Ctx)
			if err != nil {
				return Ringed(err) + " after " + strconv.Itoa(n)
			}
			if len(b) > 0 && string(b) != string(pattern(int64(b[0])|int64(b[1])<<8)) {
				return "torn"
			}
		}
	})
	// Sends messages that are nearly as long as the pipe, until it cannot.
	_ = actor.Verb("pipe.flood", func(e *actor.Env, args []string) string {
		c := Conn(e, named(args))
		for {
			if err := c.Send(e.Ctx, make([]byte, pipeBuffer-100)); err != nil {
				return Ringed(err)
			}
			time.Sleep(time.Microsecond)
		}
	})
)

// pattern is message i of a row: of different lengths, some empty, and its bytes tell all.
func pattern(i int64) []byte {
	n := i * 13 % 257
	if n == 1 {
		n = 0
	}
	b := make([]byte, n)
	for k := range b {
		b[k] = byte(i + int64(k))
	}
	if len(b) > 1 {
		b[0], b[1] = byte(i), byte(i>>8)
	}
	return b
}

func init() { travels("pipe", Conn) }
