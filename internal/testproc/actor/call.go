package actor

import (
	"fmt"
	"time"

	"example.com/tandem/internal/testproc"
)

// A Call is something that an actor is doing, or has done.
type Call struct {
	Actor *Actor
	Verb  string
	Args  []string

	n        int
	asleep   bool          // Blocked has been asked for
	answered chan struct{} // closed when reply is there
	reply    reply
	words    chan string // said before the answer
}

// Done reports that the call has been answered.
func (c *Call) Done() bool {
	select {
	case <-c.answered:
		return true
	default:
		return false
	}
}

// Answer waits for the answer.
func (c *Call) Answer() string {
	w := c.Actor.World
	w.T.Helper()
	select {
	case <-c.answered:
	case <-c.Actor.gone:
		if !c.Done() {
			w.Fatal("%v: the actor ended without an answer", c)
		}
	case <-time.After(testproc.Patience):
		w.Fatal("%v: no answer", c)
	}
	return c.reply.Answer
}

// Expect waits for the answer, and it is an error if it is another than want.
func (c *Call) Expect(want string) {
	c.Actor.World.T.Helper()
	if got := c.Answer(); got != want {
		c.Actor.World.T.Errorf("%v = %q, want %q", c, got, want)
	}
}

// Hears waits for the next word that the verb says before its answer, and fails
// the test if that is another than want, or if there is none.
func (c *Call) Hears(want string) {
	w := c.Actor.World
	w.T.Helper()
	got, ok := "", false
	select {
	case got = <-c.words:
		ok = true
	case <-c.answered:
	case <-c.Actor.gone:
	case <-time.After(testproc.Patience):
	}
	if !ok { // what was said before the end is there by now
		select {
		case got = <-c.words:
		default:
			w.Fatal("%v does not say %q; answered: %v", c, want, c.Done())
		}
	}
	if got != want {
		w.Fatal("%v says %q, want %q", c, got, want)
	}
}

// Heard is what the verb of an actor that has died had said, and Hears has not taken.
func (c *Call) Heard() (words []string) {
	c.Actor.World.T.Helper()
	<-c.Actor.gone
	for {
		select {
		case word := <-c.words:
			words = append(words, word)
		default:
			return words
		}
	}
}

// Tell says a word to the verb, which hears it by [Env.Hear].
func (c *Call) Tell(word string) { c.Actor.send(request{N: c.n, Word: &word}) }

// Took is how long an answered call's verb ran, in its actor.
func (c *Call) Took() time.Duration { return c.reply.Took }

// Cancel ends the call's context, and does not wait for the answer.
func (c *Call) Cancel() { c.Actor.send(request{N: c.n}) }

func (c *Call) String() string { return fmt.Sprintf("%s, %s%q", c.Actor.name, c.Verb, c.Args) }
