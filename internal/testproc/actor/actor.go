package actor

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// An Actor uses the region's objects, in a way that the world says. Its
// methods, and those of its calls, belong to the test's own goroutine.
type Actor struct {
	World *World
	PID   int // of its process

	name string
	port

	calls   []*Call       // all of them; call n is calls[n]
	gone    chan struct{} // closed when nothing more will be answered
	mu      sync.Mutex    // calls, which the goroutine that hears reads, too
	stopped func()        // lets it go on after a Stop; nil if there was none
}

// A port is how an actor is reached.
type port struct {
	say    func(line string)
	hear   func() (line string, ok bool)
	signal func(syscall.Signal) // sends it to the actor's process
	hangUp func()               // nothing more will be said: the actor ends
	ended  func() error         // waits for its end
}

// Start starts an actor that is a process of its own, opens the region by its
// name and finds there what there is: it makes nothing. It has attached when
// Start returns, and it is killed at the test's end at the latest.
func Start(t testing.TB, r *shm.Region) *Actor {
	t.Helper()
	a := (&World{T: t, Way: finding, Region: r}).start()
	t.Cleanup(func() { a.Kill() })
	a.Expect("ok", "actor.ready")
	return a
}

// Actor starts an actor. At the test's end it is to end by itself.
func (w *World) Actor() *Actor {
	w.T.Helper()
	a := w.start()
	w.T.Cleanup(a.end)
	return a
}

func (w *World) start() *Actor {
	w.T.Helper()
	a := &Actor{World: w, name: fmt.Sprintf("actor %d", len(w.started)), gone: make(chan struct{})}
	var err error
	if a.PID, a.port, err = starts[w.Way](w, a.name); err != nil {
		w.T.Fatalf("start of %s: %v", a.name, err)
	}
	w.started = append(w.started, a)
	go a.listen()
	return a
}

// listen hands out the answers, and what is said before them.
func (a *Actor) listen() {
	defer close(a.gone)
	for {
		line, ok := a.hear()
		if !ok {
			return
		}
		var r reply
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			fmt.Fprintf(os.Stderr, "%s says %q: %v\n", a.name, line, err)
			return
		}
		a.mu.Lock()
		c := a.calls[r.N]
		a.mu.Unlock()
		if r.Word != nil {
			c.words <- *r.Word
			continue
		}
		c.reply = r
		close(c.answered)
	}
}

// end lets the actor end and waits until it has.
func (a *Actor) end() {
	if a.stopped != nil {
		a.stopped()
	}
	a.hangUp()
	patience := testproc.Patience
	if a.World.T.Failed() {
		patience = 2 * time.Second // it may hang
	}
	ended := make(chan error, 1)
	go func() { ended <- a.ended() }()
	select {
	case err := <-ended:
		if err != nil {
			a.World.T.Errorf("%s ended with %v", a.name, err)
		}
	case <-time.After(patience):
		a.World.T.Errorf("%s does not end", a.name)
		if a.World.Processes() {
			a.signal(syscall.SIGKILL)
			<-ended
		}
	}
}

// Begin has the actor do something, and does not wait for the answer.
func (a *Actor) Begin(verb string, args ...string) *Call {
	a.World.T.Helper()
	c := &Call{Actor: a, Verb: verb, Args: args, answered: make(chan struct{}), words: make(chan string, 1024)}
	a.mu.Lock()
	n := len(a.calls)
	a.calls = append(a.calls, c)
	a.mu.Unlock()
	c.n = n
	a.send(request{N: n, Verb: verb, Args: args})
	return c
}

func (a *Actor) send(q request) {
	b, err := json.Marshal(q)
	if err != nil {
		panic(err)
	}
	a.say(string(b))
}

// Do has the actor do something, and is its answer.
func (a *Actor) Do(verb string, args ...string) string {
	a.World.T.Helper()
	return a.Begin(verb, args...).Answer()
}

// Timed is Do, and how long the verb ran.
func (a *Actor) Timed(verb string, args ...string) (string, time.Duration) {
	a.World.T.Helper()
	c := a.Begin(verb, args...)
	return c.Answer(), c.Took()
}

// Expect is Do, and an error if the answer is another than want.
func (a *Actor) Expect(want, verb string, args ...string) {
	a.World.T.Helper()
	a.Begin(verb, args...).Expect(want)
}

// Signal sends a signal to the actor's process, which is the test's own if the
// actor is a goroutine.
func (a *Actor) Signal(s syscall.Signal) { a.signal(s) }

// Kill ends the actor's process by SIGKILL, and returns when it is gone. One
// that is gone already is left alone.
func (a *Actor) Kill() {
	a.World.T.Helper()
	a.process()
	a.signal(syscall.SIGKILL)
	a.Gone()
}

// Gone waits until the actor's process has died.
func (a *Actor) Gone() {
	a.World.T.Helper()
	select {
	case <-a.gone:
	case <-time.After(testproc.Patience):
		a.World.Fatal("%s does not die", a.name)
	}
	a.ended() // reaps it
	a.ended = func() error { return nil }
}

func (a *Actor) process() {
	a.World.T.Helper()
	if !a.World.Processes() {
		a.World.T.Fatal("a goroutine can be neither killed nor stopped: run the row by processes, or ask w.Processes()")
	}
}
