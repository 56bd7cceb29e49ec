package shm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/visible"
)

// Object is the object of that name, a removed one if it was the only one;
// nil if there is none.
func (s *Snapshot) Object(name string) *ObjectState {
	for _, list := range [][]ObjectState{s.Objects, s.Removed} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// ObjectText is all that the snapshot has of one of its objects, a line each.
func (s *Snapshot) ObjectText(o *ObjectState) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	line := func(what, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", what, visible.Text(fmt.Sprintf(format, args...)))
	}
	line("object", "%s", o.Name)
	line("region", "%s", s.Region.Name)
	line("kind", "%s", o.Kind)
	line("made", "%s", stamp(o.Created))
	line("bytes", "%d", o.Bytes)
	if o.State != "" {
		line("state", "%s", o.State)
	}
	if slices.ContainsFunc(s.Removed, func(r ObjectState) bool { return r.Name == o.Name }) && !slices.ContainsFunc(s.Objects, func(l ObjectState) bool { return l.Name == o.Name }) {
		line("removed", "it has no name any more, and goes when nobody has it open")
	}
	if o.Cap > 0 {
		line("fill", "%s", o.fill())
	} else if o.Len > 0 {
		line("length", "%d", o.Len)
	}
	if v := o.value(); v != "" {
		line("value", "%s", v)
	}
	if o.Owner != nil {
		line("held by", "%s", s.held(o.Owner))
	}
	holders := o.slowestFirst()
	for i := range holders {
		switch h := &holders[i]; {
		case h.What == behind:
			line("subscriber", "%s, %d behind", s.held(h), h.N)
		case o.Kind == engine.KindListener.String():
			line("listens", "%s", s.held(h))
		case !o.counts():
			line(h.What, "%s", s.held(h))
		default:
			line(h.What, "%d of %s", h.N, s.held(h))
		}
	}
	for i := range o.Waits {
		line("waited for by", "%s", s.waiting(&o.Waits[i]))
	}
	if len(o.Waits) == 0 && o.Waiters > 1 {
		line("waited for by", "%d", o.Waiters)
	}
	if o.Kind == engine.KindListener.String() {
		for i := range s.Streams {
			if c := &s.Streams[i]; c.Name == o.Name {
				line("connection", "since %s (%s): %s", s.moment(c.Created), s.since(c.Created), s.summary(c))
			}
		}
	}
	for _, i := range o.OpenIn {
		line("open in", "%s", s.participant(i))
	}
	for _, name := range slices.Sorted(maps.Keys(o.Fields)) {
		line(name, "%s", o.Fields[name])
	}
	for text := range strings.Lines(o.Type) {
		line("type", "%s", strings.TrimSuffix(text, "\n"))
	}
	w.Flush()
	return b.String()
}

// participant names the participant that has record i.
func (s *Snapshot) participant(i int) string {
	for k := range s.Participants {
		if p := &s.Participants[k]; p.Index == i {
			h := p.holder()
			return h.String()
		}
	}
	return fmt.Sprintf("#%d (gone)", i)
}
