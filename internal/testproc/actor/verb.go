package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"example.com/tandem/shm"
)

// A VerbFunc is something that an actor can do.
type VerbFunc func(e *Env, args []string) string

var verbs = map[string]VerbFunc{}

// Verb names something that an actor can do; at package level.
func Verb(name string, f VerbFunc) bool {
	if verbs[name] != nil {
		panic("two verbs " + name)
	}
	verbs[name] = f
	return true
}

// What every actor can do.
var (
	_ = Verb("actor.ready", func(*Env, []string) string { return "ok" })
	_ = Verb("actor.close", func(e *Env, _ []string) string { return Outcome(e.Region.Close()) })
)

// An Env is where a call runs: the actor's region and handles, and the call's
// own context.
type Env struct {
	*surroundings
	Ctx context.Context

	say  func(word string)
	hear <-chan string
}

type surroundings struct {
	Region *shm.Region
	Way    string

	mu      sync.Mutex
	handles map[string]any
}

// Handle is the actor's own, by any name that no other kind of handle has in
// this actor. open makes it, once; an error ends the verb.
func Handle[H any](e *Env, name string, open func() (H, error)) H {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, ok := e.handles[name]
	if !ok {
		h = Opened(open())
		e.handles[name] = h
	}
	return h.(H)
}

// Drop forgets a handle of the actor's.
func (e *Env) Drop(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.handles, name)
}

// Within is the call's context, with the timeout that args[i] says, if there
// is one.
func (e *Env) Within(args []string, i int) (context.Context, context.CancelFunc) {
	if i >= len(args) {
		return context.WithCancel(e.Ctx)
	}
	return context.WithTimeout(e.Ctx, Opened(time.ParseDuration(args[i])))
}

// Say says a word before the answer: [Call.Hears] is for it.
func (e *Env) Say(word string) { e.say(word) }

// Hear waits for the next word that the call is told by [Call.Tell]; "" if the
// call is cancelled, or its actor is to end.
func (e *Env) Hear() string {
	select {
	case word := <-e.hear:
		return word
	case <-e.Ctx.Done():
		return ""
	}
}

// A failure ends a verb; its error's outcome is the answer.
type failure struct{ error }

// Fail ends the verb; the error's outcome is the answer.
func Fail(err error) { panic(failure{err}) }

// Opened is h; an error ends the verb.
func Opened[H any](h H, err error) H {
	if err != nil {
		Fail(err)
	}
	return h
}

type says struct {
	is   error
	says string
}

// sentinels are what Outcome says of errors, in this order.
var sentinels = []says{
	{shm.ErrClosed, "closed"},
	{context.DeadlineExceeded, "deadline"},
	{context.Canceled, "canceled"},
}

// Sentinel has Outcome call an error by a short name; at package level.
func Sentinel(name string, is error) bool {
	sentinels = append([]says{{is, name}}, sentinels...)
	return true
}

// Outcome is "ok", or the name of the sentinel that err wraps ("broken"), or
// of all that it wraps, the library's own before the context's
// ("broken+deadline"); or err's text.
func Outcome(err error) string {
	if err == nil {
		return "ok"
	}
	var is []string
	for _, s := range sentinels {
		if errors.Is(err, s.is) {
			is = append(is, s.says)
		}
	}
	if len(is) == 0 {
		return err.Error()
	}
	return strings.Join(is, "+")
}

// What travels to an actor and back, each a line.
type (
	request struct {
		N    int
		Verb string  // "" cancels call N
		Word *string // said to call N, instead
		Args []string
	}
	reply struct {
		N      int
		Word   *string // said before the answer, instead
		Answer string
		Took   time.Duration
	}
)

// serve is an actor's life: it runs each call that it is asked for in a
// goroutine, until there are no more. Then it ends those that still go on.
func serve(ctx context.Context, r *shm.Region, way string, next func() (string, bool), say func(string)) {
	s := &surroundings{Region: r, Way: way, handles: map[string]any{}}
	ctx, end := context.WithCancel(ctx)
	cancels := map[int]context.CancelFunc{}
	words := map[int]chan string{}
	var going sync.WaitGroup
	var saying sync.Mutex
	tell := func(r reply) {
		b, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		saying.Lock()
		defer saying.Unlock()
		say(string(b))
	}
	for {
		line, ok := next()
		if !ok {
			break
		}
		var q request
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			fmt.Fprintf(os.Stderr, "actor: %q: %v\n", line, err)
			break
		}
		if q.Word != nil {
			words[q.N] <- *q.Word
			continue
		}
		if q.Verb == "" {
			cancels[q.N]()
			continue
		}
		call, cancel := context.WithCancel(ctx)
		cancels[q.N] = cancel
		heard := make(chan string, 16)
		words[q.N] = heard
		going.Go(func() {
			start := time.Now()
			answer := perform(&Env{s, call, func(word string) { tell(reply{N: q.N, Word: &word}) }, heard}, q)
			tell(reply{N: q.N, Answer: answer, Took: time.Since(start)})
		})
	}
	end()
	going.Wait()
}

func perform(e *Env, q request) (answer string) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			answer = Outcome(p.error)
		default:
			panic(p)
		}
	}()
	f := verbs[q.Verb]
	if f == nil {
		return "no verb " + q.Verb
	}
	return f(e, q.Args)
}
