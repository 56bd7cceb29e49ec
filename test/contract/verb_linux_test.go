package contract_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	gosync "sync"
	"time"

	"example.com/tandem/shm"
)

// A verb is something that an actor can do.
type verbFunc func(e *env, args []string) string

var verbs = map[string]verbFunc{}

// verb names something that an actor can do; at package level.
func verb(name string, f verbFunc) bool {
	if verbs[name] != nil {
		panic("two verbs " + name)
	}
	verbs[name] = f
	return true
}

// An env is where a call runs: the actor's region and handles, and the call's
// own context.
type env struct {
	*surroundings
	ctx context.Context
}

type surroundings struct {
	region *shm.Region
	way    string

	mu      gosync.Mutex
	handles map[string]any
}

// handle is the actor's own, by any name that no other kind of handle has in
// this row. open makes it, once.
func (s *surroundings) handle(name string, open func() any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.handles[name]
	if !ok {
		h = open()
		s.handles[name] = h
	}
	return h
}

// within is the call's context, with the timeout that args[i] says, if there
// is one.
func (e *env) within(args []string, i int) (context.Context, context.CancelFunc) {
	if i >= len(args) {
		return context.WithCancel(e.ctx)
	}
	d, err := time.ParseDuration(args[i])
	if err != nil {
		panic(failure{err})
	}
	return context.WithTimeout(e.ctx, d)
}

// A failure ends a verb; its error's outcome is the answer.
type failure struct{ error }

// opened is h; an error ends the verb.
func opened[H any](h H, err error) H {
	if err != nil {
		panic(failure{err})
	}
	return h
}

type says struct {
	is   error
	says string
}

// sentinels are what outcome says of errors, in this order.
var sentinels = []says{
	{shm.ErrClosed, "closed"},
	{context.DeadlineExceeded, "deadline"},
	{context.Canceled, "canceled"},
}

// sentinel has outcome call an error by a short name; at package level.
func sentinel(name string, is error) bool {
	sentinels = append([]says{{is, name}}, sentinels...)
	return true
}

// outcome is "ok", or the name of the sentinel that err wraps ("broken"), or
// of all that it wraps, the library's own before the context's
// ("broken+deadline"); or err's text.
func outcome(err error) string {
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
		Verb string // "" cancels call N
		Args []string
	}
	reply struct {
		N      int
		Answer string
		Took   time.Duration
	}
)

// serve is an actor's life: it runs each call that it is asked for in a
// goroutine, until there are no more. Then it ends those that still go on.
func serve(ctx context.Context, r *shm.Region, way string, next func() (string, bool), say func(string)) {
	s := &surroundings{region: r, way: way, handles: map[string]any{}}
	ctx, end := context.WithCancel(ctx)
	cancels := map[int]context.CancelFunc{}
	var going gosync.WaitGroup
	var saying gosync.Mutex
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
		if q.Verb == "" {
			cancels[q.N]()
			continue
		}
		call, cancel := context.WithCancel(ctx)
		cancels[q.N] = cancel
		going.Go(func() {
			start := time.Now()
			answer := perform(&env{s, call}, q)
			b, err := json.Marshal(reply{q.N, answer, time.Since(start)})
			if err != nil {
				panic(err)
			}
			saying.Lock()
			defer saying.Unlock()
			say(string(b))
		})
	}
	end()
	going.Wait()
}

func perform(e *env, q request) (answer string) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			answer = outcome(p.error)
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
