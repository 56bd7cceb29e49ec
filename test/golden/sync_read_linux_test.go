package golden

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// A seenSync is what the reader finds in objects of package sync beside their
// locks.
type seenSync struct {
	Holder, Depth int
	Writer        *seenWho
	Rows          []struct {
		seenWho
		Readers, Waiting, Granted int
		Dead                      bool
	}
	Initial, Value int
	Shares         []struct {
		seenWho
		Share int
	}
	Set              bool
	TimesSet         int `json:"times_set"`
	Parties, Waiting int
	Round            int
	Broken           bool
	Arrived, Leaving []struct {
		seenWho
		Count int
	}
	Done   bool
	DoneBy *seenWho `json:"done_by"`
	Runs   int
}

// shares are who has what of an object.
func (s *seenSync) shares() (all []string) {
	add := func(what string, w seenWho, n int) {
		if n > 0 {
			all = append(all, fmt.Sprint(what, " ", who(&w), " ", n))
		}
	}
	for _, r := range s.Rows {
		if !r.Dead {
			add("reader", r.seenWho, r.Readers)
			add("waiting", r.seenWho, r.Waiting)
			add("notified", r.seenWho, r.Granted)
		}
	}
	for _, r := range s.Shares {
		add("permit", r.seenWho, -r.Share)
	}
	for _, r := range s.Arrived {
		add("arrived", r.seenWho, r.Count)
	}
	for _, r := range s.Leaving {
		add("leaving", r.seenWho, r.Count)
	}
	slices.Sort(all)
	return all
}

// compareSync is compareObjects for what package sync has.
func compareSync(t *testing.T, s *seenObject, g *shm.ObjectState) {
	t.Helper()
	var holders []string
	for _, h := range g.Holders {
		holders = append(holders, fmt.Sprint(h.What, " ", holder(&h), " ", h.N))
	}
	slices.Sort(holders)
	want(t, s.Name+": holders", s.shares(), holders)
	var state, value string
	switch s.Kind {
	case "rmutex", "cond":
		if s.Depth > 0 {
			value = fmt.Sprintf("holder %d, depth %d", s.Holder, s.Depth)
		}
		state = either(s.Abandoned, "abandoned", "")
	case "semaphore", "bounded semaphore":
		value = fmt.Sprint(s.Value)
	case "event":
		state, value = either(s.Set, "set", "clear"), fmt.Sprint(s.TimesSet)
	case "barrier":
		state = either(s.Broken, "broken", "")
	case "once":
		state = either(s.Done, "done", either(s.Owner != nil, "running", "not done"))
		value = fmt.Sprint(s.Runs)
	default:
		return
	}
	want(t, s.Name+": state and value", []string{state, value}, []string{g.State, g.Value})
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// text is what stands in an image's object of package sync.
func (s *seenSync) text(kind string) string {
	all := s.shares()
	switch kind {
	case "rmutex", "cond":
		all = append(all, fmt.Sprintf("holder %d, depth %d", s.Holder, s.Depth))
	case "rwmutex":
		all = append(all, "writer "+who(s.Writer))
	case "semaphore", "bounded semaphore":
		all = append(all, fmt.Sprintf("%d of %d", s.Value, s.Initial))
	case "event":
		all = append(all, fmt.Sprintf("%v, %d times", s.Set, s.TimesSet))
	case "barrier":
		all = append(all, fmt.Sprintf("round %d of %d, broken %v", s.Round, s.Parties, s.Broken))
	case "once":
		all = append(all, fmt.Sprintf("done %v by %s, %d runs", s.Done, who(s.DoneBy), s.Runs))
	}
	return strings.Join(all, ", ")
}

func init() {
	contents["sync"] = map[string]string{
		"held":        "holder 1, depth 2",
		"left":        "holder 0, depth 0",
		"read":        "reader 0.1 2, reader 2.1 1, writer nobody",
		"written":     "writer 0.1",
		"was-written": "writer nobody",
		"cond":        "notified 2.1 1, waiting 2.1 1, holder 1, depth 1",
		"some":        "7 of 5",
		"none":        "0 of 0",
		"slots":       "permit 0.1 2, 1 of 3",
		"on":          "true, 1 times",
		"off":         "false, 2 times",
		"meet":        "arrived 0.1 1, arrived 2.1 1, round 2 of 3, broken false",
		"broken":      "round 2 of 2, broken true",
		"done":        "done true by 0.1, 1 runs",
		"runs":        "done false by nobody, 1 runs",
		"tried":       "done false by nobody, 1 runs",
	}
}

// Both who used everything have died; this process recovers them.
func TestReadSync(t *testing.T) {
	a := actor{r: openImage(t, "sync").Existing()}
	want(t, "participants", len(a.r.Participants()), 1)
	p, ctx := a.primitives(), testproc.Watchdog(t)
	for name, err := range map[string]error{"held": p.held.Lock(ctx), "left": p.left.Lock(ctx), "was": p.was.Lock(ctx),
		"was, to read": p.was.RLock(ctx), "wrote": p.wrote.Lock(ctx), "cond": p.cond.Holder().Lock(ctx)} {
		wantErr(t, name, err, shm.ErrOwnerDied)
	}
	want(t, "suspect", check(p.held.Recover(ctx))(t), true)
	want(t, "MarkConsistent", p.held.MarkConsistent(), nil)
	want(t, "Unlock", p.held.Unlock(), nil)
	want(t, "read, which nobody reads any more", check(p.read.TryLock())(t), true)

	want(t, "some", p.some.Value(), 7) // what was given above what was taken stays
	want(t, "none", check(p.none.TryAcquire())(t), false)
	want(t, "slots", p.slots.Value(), 3)

	want(t, "on and off", []bool{p.on.IsSet(), p.off.IsSet()}, []bool{true, false})
	for name, b := range map[string]*sync.Barrier{"meet": p.meet, "broken": p.broken} {
		want(t, name+" is broken", b.Broken(), true)
		want(t, "Reset", b.Reset(), nil)
		want(t, "who waits for "+name, b.Waiting(), 0)
	}
	ran := ""
	for _, o := range []struct {
		name string
		once *sync.Once
	}{{"done", p.done}, {"runs", p.runs}, {"tried", p.tried}} {
		want(t, o.name, o.once.Do(ctx, func(context.Context) error { ran += o.name + " "; return nil }), nil)
	}
	want(t, "what was still to be done", ran, "runs tried ")
}
