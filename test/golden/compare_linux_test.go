package golden

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"example.com/tandem/shm"
)

// compare says where the reader and a snapshot of the same still region differ.
func compare(t *testing.T, s *seen, g *shm.Snapshot) {
	t.Helper()
	h, r := &s.Header, &g.Region
	want(t, "version", h.Version, r.Version)
	want(t, "flags", []bool{h.Ephemeral, h.Anonymous, h.Unfenced, h.Ended}, []bool{r.Ephemeral, r.Anonymous, r.Unfenced, r.Ended})
	want(t, "sizes", []int64{h.Size, int64(h.MaxParticipants), int64(h.MaxObjects), int64(h.PageSize)},
		[]int64{r.Size, int64(r.Participants), int64(r.Objects), int64(r.PageSize)})
	want(t, "id and boot", []string{h.ID, h.Boot}, []string{r.ID, r.Boot})
	want(t, "made", h.Created, r.Created.UnixNano())

	d := &s.Directory
	want(t, "changing", d.Changing, false)
	want(t, "directory", []int64{int64(d.Live), int64(len(d.RemovedEntries)), d.Seq/2 - 1},
		[]int64{int64(g.Directory.Live), int64(g.Directory.Removed + g.Directory.Streams), g.Directory.Changes})
	want(t, "directory's lock", d.Lock.Owner != nil, g.Directory.Holder != nil)
	want(t, "entries", len(d.FreeEntries)+len(d.RemovedEntries)+d.Live, r.Objects)
	free := int64(0)
	for _, run := range d.FreeRuns {
		free += run[1]
	}
	want(t, "free bytes", free, g.Memory.Free)

	if len(s.Participants) != len(g.Participants) {
		t.Fatalf("%d participants, want %d", len(s.Participants), len(g.Participants))
	}
	for i, p := range s.Participants {
		q := g.Participants[i]
		want(t, fmt.Sprintf("participant %d's sum is right", i), p.Sound, true)
		want(t, fmt.Sprint("participant ", i), fmt.Sprintln(p.Index, p.Epoch, p.PID, p.Name, p.State, p.Attached, p.Recoveries, p.Rescues, p.Open, p.Asleep),
			fmt.Sprintln(q.Index, q.Epoch, q.PID, q.Name, q.State, q.Started.UnixNano(), q.Recoveries, q.Rescues, q.Open, q.Asleep))
	}

	var live, removed, streams []seenObject
	for _, o := range s.Objects {
		if o.State == "live" {
			if o.ByName == nil || *o.ByName != o.Entry {
				t.Errorf("%s: found by its name at %v, want %d", o.Name, o.ByName, o.Entry)
			}
			live = append(live, o)
		} else if o.Kind == "stream" {
			streams = append(streams, o)
		} else {
			removed = append(removed, o)
		}
	}
	compareObjects(t, live, g.Objects)
	compareObjects(t, removed, g.Removed)
	compareObjects(t, streams, g.Streams)
}

func compareObjects(t *testing.T, ss []seenObject, gs []shm.ObjectState) {
	t.Helper()
	if len(ss) != len(gs) {
		t.Fatalf("%d objects, want %d", len(ss), len(gs))
	}
	for i := range ss {
		s, g := &ss[i], &gs[i]
		want(t, "name", s.Name, g.Name)
		if strings.HasPrefix(g.Kind, "kind ") {
			want(t, s.Name+": kind", s.Kind, fmt.Sprint("unknown ", uint32(unknownKind)))
		} else {
			want(t, s.Name+": kind", s.Kind, g.Kind)
		}
		want(t, s.Name+": bytes and time", []int64{s.Bytes, s.Created}, []int64{g.Bytes, g.Created.UnixNano()})
		calls := map[int]int{}
		for _, h := range g.Waits {
			calls[h.Index] = h.N
		}
		want(t, s.Name+": waits", fmt.Sprint(s.Waits), fmt.Sprint(calls))
		want(t, s.Name+": open in", fmt.Sprint(s.OpenIn), fmt.Sprint(g.OpenIn))
		f := maps.Clone(g.Fields)
		if g.Type != "" {
			if f == nil {
				f = map[string]string{}
			}
			f["type"] = g.Type
		}
		want(t, s.Name+": fields", fmt.Sprint(s.Fields), fmt.Sprint(f))
		if strings.HasPrefix(g.Kind, "kind ") {
			continue
		}
		want(t, s.Name+": waiters", s.Waiters, g.Waiters != 0)
		want(t, s.Name+": owner", who(s.Owner), holder(g.Owner))
		want(t, s.Name+": abandoned", s.Abandoned, g.State == "abandoned")
		if s.Kind == "array" || s.Kind == "slice" {
			want(t, s.Name+": length", s.N, g.Len)
		}
		switch s.Kind {
		case "queue":
			compareQueue(t, s, g)
		case "spsc":
			compareSPSC(t, s, g)
		case "pipe":
			comparePipe(t, s, g)
		case "broadcast":
			compareBroadcast(t, s, g)
		case "listener":
			compareListener(t, s, g)
		case "stream":
			compareStream(t, s, g)
		case "value", "array", "slice", "mutex":
		default:
			compareSync(t, s, g)
		}
	}
}

func compareQueue(t *testing.T, s *seenObject, g *shm.ObjectState) {
	t.Helper()
	want(t, s.Name+": len, cap", []int{len(s.Messages), s.Slots}, []int{g.Len, g.Cap})
	want(t, s.Name+": shut down", s.ShutDown, g.State != "")
	var held, wanted []string
	taken := map[string]int{}
	for _, m := range s.Taken {
		taken[fmt.Sprint(strings.Replace(m.Phase, "leased", "lease", 1), who(m.Holder))]++
	}
	for of, n := range taken {
		held = append(held, fmt.Sprint(of, n))
	}
	for _, l := range s.Lent {
		held = append(held, fmt.Sprint("loan", who(&l.seenWho), l.Count))
	}
	for _, n := range s.NotDone {
		held = append(held, fmt.Sprint("not done", who(&n.seenWho), n.Count))
	}
	for _, h := range g.Holders {
		wanted = append(wanted, fmt.Sprint(h.What, holder(&h), h.N))
	}
	slices.Sort(held)
	slices.Sort(wanted)
	want(t, s.Name+": holders", held, wanted)
}

func compareSPSC(t *testing.T, s *seenObject, g *shm.ObjectState) {
	t.Helper()
	want(t, s.Name+": len, cap", []int{len(s.Messages), s.Slots}, []int{g.Len, g.Cap})
	want(t, s.Name+": shut down, at its end", []bool{s.ShutDown, s.End != nil && *s.End == s.Got}, []bool{g.State != "", g.State == "at its end"})
	sides := map[string]string{"producer": "nobody", "consumer": "nobody"}
	for _, h := range g.Holders {
		sides[h.What] = holder(&h)
	}
	want(t, s.Name+": sides", []string{who(s.Producer), who(s.Consumer)}, []string{sides["producer"], sides["consumer"]})
}

func comparePipe(t *testing.T, s *seenObject, g *shm.ObjectState) {
	t.Helper()
	var states, held, wanted []string
	for _, e := range s.Ends {
		states = append(states, e.End+" "+e.State)
		for _, i := range e.Holders {
			held = append(held, fmt.Sprint(e.End, " end ", i))
		}
	}
	want(t, s.Name+": ends", strings.Join(states, ", "), g.State)
	for _, h := range g.Holders {
		wanted = append(wanted, fmt.Sprint(h.What, " ", h.Index))
	}
	want(t, s.Name+": holders", held, wanted)
	n := uint64(0)
	for _, w := range s.Ways {
		n += w.Sent - w.Received
	}
	want(t, s.Name+": bytes", int(n), g.Len)
}

func compareListener(t *testing.T, s *seenObject, g *shm.ObjectState) {
	t.Helper()
	want(t, s.Name+": len, cap", []int{len(s.Backlog), s.Slots}, []int{g.Len, g.Cap})
	listens := "nobody"
	for _, h := range g.Holders {
		listens = holder(&h)
	}
	want(t, s.Name+": listens", who(s.Listens), listens)
}

func compareStream(t *testing.T, s *seenObject, g *shm.ObjectState) {
	t.Helper()
	want(t, s.Name+": state", s.Answer, strings.Replace(g.State, "half closed", "", 1))
	var ends, wanted []string
	n := uint64(0)
	for i, w := range s.Ways {
		n += w.Sent - w.Received
		if e := s.Ends[i]; e.Who != nil && !e.Gone {
			ends = append(ends, fmt.Sprint(e.End, who(e.Who), w.Sent-w.Received))
		}
	}
	for _, h := range g.Holders {
		wanted = append(wanted, fmt.Sprint(h.What, holder(&h), h.N))
	}
	want(t, s.Name+": ends", ends, wanted)
	want(t, s.Name+": bytes", int(n), g.Len)
	want(t, s.Name+": written", fmt.Sprintf("written %d and %d", s.Ways[0].Sent, s.Ways[1].Sent), g.Value)
}

func compareBroadcast(t *testing.T, s *seenObject, g *shm.ObjectState) {
	t.Helper()
	want(t, s.Name+": len, cap", []int{len(s.Messages), s.Slots}, []int{g.Len, g.Cap})
	want(t, s.Name+": published", fmt.Sprint(s.Published), g.Value)
	want(t, s.Name+": shut down", s.ShutDown, g.State != "")
	var subscribers, wanted []string
	for _, h := range s.Subscribers {
		subscribers = append(subscribers, fmt.Sprint(who(&h.seenWho), h.Count))
	}
	for _, h := range g.Holders {
		wanted = append(wanted, fmt.Sprint(holder(&h), h.N))
	}
	slices.Sort(subscribers)
	slices.Sort(wanted)
	want(t, s.Name+": subscribers", subscribers, wanted)
}

func who(w *seenWho) string {
	if w == nil {
		return "nobody"
	}
	return fmt.Sprintf("%d.%d", w.Index, w.Epoch)
}

func holder(h *shm.Holder) string {
	if h == nil {
		return "nobody"
	}
	return fmt.Sprintf("%d.%d", h.Index, h.Epoch)
}

func snapshot(t *testing.T, path string) *shm.Snapshot {
	t.Helper()
	r := check(shm.Open(path, &shm.Options{ReadOnly: true}))(t)
	defer r.Close()
	return check(r.Snapshot())(t)
}
