package contract_test

import (
	"encoding/json"
	"fmt"
	"os"
	gosync "sync"
	"syscall"
	"time"

	"example.com/tandem/internal/testproc"
)

// An actor uses the region's objects, in a way that the world says. Its
// methods, and those of its calls, belong to the row's own goroutine.
type actor struct {
	w    *world
	name string
	port

	calls []*call       // all of them; call n is calls[n]
	gone  chan struct{} // closed when nothing more will be answered
	mu    gosync.Mutex  // calls, which the goroutine that hears reads, too
}

// A port is how an actor is reached.
type port struct {
	pid    int
	say    func(line string)
	hear   func() (line string, ok bool)
	signal func(syscall.Signal) // sends it to the actor's process
	hangUp func()               // nothing more will be said: the actor ends
	ended  func() error         // waits for its end
}

// actor starts an actor. At the row's end it is to end by itself.
func (w *world) actor() *actor {
	w.t.Helper()
	a := &actor{w: w, name: fmt.Sprintf("actor %d", len(w.started)), gone: make(chan struct{})}
	var err error
	if a.port, err = start[w.way](w, a.name); err != nil {
		w.t.Fatalf("start of %s: %v", a.name, err)
	}
	w.started = append(w.started, a)
	go a.listen()
	w.t.Cleanup(a.end)
	return a
}

// listen hands out the answers.
func (a *actor) listen() {
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
		c.reply = r
		close(c.answered)
	}
}

// end lets the actor end and waits until it has.
func (a *actor) end() {
	if a.w.processes() {
		a.signal(syscall.SIGCONT)
	}
	a.hangUp()
	patience := testproc.Patience
	if a.w.t.Failed() {
		patience = 2 * time.Second // it may hang
	}
	ended := make(chan error, 1)
	go func() { ended <- a.ended() }()
	select {
	case err := <-ended:
		if err != nil {
			a.w.t.Errorf("%s ended with %v", a.name, err)
		}
	case <-time.After(patience):
		a.w.t.Errorf("%s does not end", a.name)
		if a.w.processes() {
			a.signal(syscall.SIGKILL)
			<-ended
		}
	}
}

// begin has the actor do something, and does not wait for the answer.
func (a *actor) begin(verb string, args ...string) *call {
	a.w.t.Helper()
	c := &call{a: a, verb: verb, args: args, answered: make(chan struct{})}
	a.mu.Lock()
	n := len(a.calls)
	a.calls = append(a.calls, c)
	a.mu.Unlock()
	c.n = n
	a.send(request{n, verb, args})
	return c
}

func (a *actor) send(q request) {
	b, err := json.Marshal(q)
	if err != nil {
		panic(err)
	}
	a.say(string(b))
}

// do has the actor do something, and is its answer.
func (a *actor) do(verb string, args ...string) string {
	a.w.t.Helper()
	return a.begin(verb, args...).answer()
}

// timed is do, and how long the verb ran.
func (a *actor) timed(verb string, args ...string) (string, time.Duration) {
	a.w.t.Helper()
	c := a.begin(verb, args...)
	return c.answer(), c.took()
}

// expect is do, and an error if the answer is another than want.
func (a *actor) expect(want, verb string, args ...string) {
	a.w.t.Helper()
	a.begin(verb, args...).expect(want)
}

// kill ends the actor's process by SIGKILL, and returns when it is gone.
func (a *actor) kill() {
	a.w.t.Helper()
	a.process()
	a.signal(syscall.SIGKILL)
	select {
	case <-a.gone:
	case <-time.After(testproc.Patience):
		a.w.fatal("%s does not die", a.name)
	}
	a.ended() // reaps it
	a.ended = func() error { return nil }
}

// stop stops the actor's process, and returns when each of its threads has
// stopped.
func (a *actor) stop() {
	a.w.t.Helper()
	a.process()
	a.signal(syscall.SIGSTOP)
	for begin := time.Now(); !all(threads(a.pid), 'T'); time.Sleep(time.Millisecond) {
		if time.Since(begin) > testproc.Patience {
			a.w.fatal("%s does not stop", a.name)
		}
	}
}

// resume lets the actor's process go on after a stop.
func (a *actor) resume() {
	a.w.t.Helper()
	a.process()
	a.signal(syscall.SIGCONT)
}

func (a *actor) process() {
	a.w.t.Helper()
	if !a.w.processes() {
		a.w.t.Fatal("a goroutine can be neither killed nor stopped: run the row by processes, or ask w.processes()")
	}
}

// A call is something that an actor is doing, or has done.
type call struct {
	a    *actor
	n    int
	verb string
	args []string

	asleep   bool          // blocked has been asked for
	answered chan struct{} // closed when reply is there
	reply    reply
}

// done reports that the call has been answered.
func (c *call) done() bool {
	select {
	case <-c.answered:
		return true
	default:
		return false
	}
}

// answer waits for the answer.
func (c *call) answer() string {
	c.a.w.t.Helper()
	select {
	case <-c.answered:
	case <-c.a.gone:
		if !c.done() {
			c.a.w.fatal("%v: the actor ended without an answer", c)
		}
	case <-time.After(testproc.Patience):
		c.a.w.fatal("%v: no answer", c)
	}
	return c.reply.Answer
}

// expect waits for the answer, and it is an error if it is another than want.
func (c *call) expect(want string) {
	c.a.w.t.Helper()
	if got := c.answer(); got != want {
		c.a.w.t.Errorf("%v = %q, want %q", c, got, want)
	}
}

// took is how long an answered call's verb ran, in its actor.
func (c *call) took() time.Duration { return c.reply.Took }

// cancel ends the call's context, and does not wait for the answer.
func (c *call) cancel() { c.a.send(request{N: c.n}) }

func (c *call) String() string { return fmt.Sprintf("%s, %s%q", c.a.name, c.verb, c.args) }
