package shm

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/plain"
	"example.com/tandem/internal/visible"
)

// String is the snapshot as a table to read.
func (s *Snapshot) String() string {
	var b strings.Builder
	s.writeRegion(&b)
	s.writeParticipants(&b)
	s.writeGone(&b)
	s.writeObjects(&b, "object", s.Objects)
	s.writeObjects(&b, "removed", s.Removed)
	s.writeStreams(&b)
	for _, d := range s.Damage {
		fmt.Fprintln(&b, "damage:", visible.Text(d))
	}
	return trimmed(b.String())
}

func (s *Snapshot) writeRegion(b io.Writer) {
	r := &s.Region
	var is []string
	add := func(yes bool, what string) {
		if yes {
			is = append(is, what)
		}
	}
	add(r.Ephemeral, "ephemeral")
	add(r.Anonymous, "anonymous")
	add(r.Unfenced, "unfenced")
	add(r.Ended, "ended")
	add(!r.ThisBoot, "of another boot")
	fmt.Fprintf(b, "region %s  id %s  layout %d  %s", visible.Text(r.Name), r.ID, r.Version, strings.Join(is, ", "))
	fmt.Fprintf(b, "\nmade %s  %s of address space", stamp(r.Created), size(r.Size))
	fmt.Fprintf(b, "\nheap %s: %s used, %s free", size(s.Memory.Heap), size(s.Memory.Used), size(s.Memory.Free))
	if s.Memory.FileFree >= 0 {
		fmt.Fprintf(b, " (%s free in the file system)", size(s.Memory.FileFree))
	}
	d := &s.Directory
	fmt.Fprintf(b, "\ndirectory: %d objects of %d, %d removed and still open, ", d.Live, r.Objects, d.Removed-d.Unopened)
	if d.Unopened > 0 {
		fmt.Fprintf(b, "%d removed that nobody has open, ", d.Unopened)
	}
	if d.Streams > 0 {
		fmt.Fprintf(b, "%d connections, ", d.Streams)
	}
	if d.Kept > 0 {
		fmt.Fprintf(b, "%d kept for the next connections, ", d.Kept)
	}
	fmt.Fprintf(b, "%d changes", d.Changes)
	if s.Directory.Lock != "" {
		fmt.Fprintf(b, ", lock %s", s.Directory.Lock)
	}
	if s.Directory.Holder != nil {
		fmt.Fprintf(b, ", being changed by %s", s.held(s.Directory.Holder))
	}
	if len(s.Directory.Waits) > 0 {
		fmt.Fprintf(b, ", %s", s.waited(s.Directory.Waits))
	}
	fmt.Fprintln(b)
}

func (s *Snapshot) writeParticipants(b io.Writer) {
	fmt.Fprintf(b, "\n%d participants of %d\n", len(s.Participants), s.Region.Participants)
	if len(s.Participants) == 0 {
		return
	}
	w := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "  index\tepoch\tpid\tname\tstate\tattached\topen\tasleep\trecoveries")
	for i := range s.Participants {
		p := &s.Participants[i]
		recoveries := fmt.Sprint(p.Recoveries)
		if p.Rescues > 0 {
			recoveries += fmt.Sprintf(" (%d late)", p.Rescues)
		}
		asleep := fmt.Sprint(p.Asleep)
		if p.Unshown > 0 {
			asleep += fmt.Sprintf(" (%d not shown below)", p.Unshown)
		}
		fmt.Fprintf(w, "  %d\t%d\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", p.Index, p.Epoch, pidText(p.PID, p.Elsewhere), visible.Text(p.Name), p.state(), stamp(p.Started), p.Open, asleep, recoveries)
	}
	w.Flush()
}

// pidText is a pid, and whether it is none that ps shows here.
func pidText(pid int, elsewhere bool) string {
	if elsewhere {
		return fmt.Sprintf("%d in another namespace", pid)
	}
	return fmt.Sprint(pid)
}

func (p *Attached) state() string {
	switch {
	case p.Lost:
		return "died, unnoticed"
	case p.Stopped && p.State == Alive:
		return "stopped"
	case p.State == Dead && p.Recoverer == nil:
		return "dead, not recovered"
	case p.State == Dead:
		return fmt.Sprintf("dead, being recovered by %v", p.Recoverer)
	}
	return p.State.String()
}

// shownGone is how many of those who are gone the text names, and shownHolders
// how many of an object's holders and of those who wait for it.
const (
	shownGone    = 8
	shownHolders = 8
)

// What some hold: a subscriber of a broadcast so many messages that it has still to see; who
// got messages of a queue those for which TaskDone was not called, which only Join asks for;
// and who leases some.
const (
	behind  = "behind"
	notDone = "not done"
	leased  = "lease"
)

func (s *Snapshot) writeGone(b io.Writer) {
	if len(s.Gone) == 0 {
		return
	}
	died := 0
	for i := range s.Gone {
		if s.Gone[i].Died {
			died++
		}
	}
	fmt.Fprintf(b, "\nlast users of free records: %d died, %d left\n", died, len(s.Gone)-died)
	w := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "  index\tepoch\tpid\tname\tend\tattached")
	for i := range s.Gone[:min(len(s.Gone), shownGone)] {
		p := &s.Gone[i]
		how := "left"
		if p.Died {
			how = "died"
		}
		if !p.Ended.IsZero() {
			how += " " + stamp(p.Ended) + " (" + s.since(p.Ended) + " ago)"
		}
		fmt.Fprintf(w, "  %d\t%d\t%s\t%s\t%s\t%s\n", p.Index, p.Epoch, pidText(p.PID, p.Elsewhere), visible.Text(p.Name), how, stamp(p.Started))
	}
	w.Flush()
	if n := len(s.Gone) - shownGone; n > 0 {
		fmt.Fprintf(b, "  and %d more\n", n)
	}
}

func (s *Snapshot) writeObjects(b io.Writer, title string, objects []ObjectState) {
	if len(objects) == 0 {
		return
	}
	fmt.Fprintln(b)
	w := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tkind\tbytes\tstate\tconfiguration\n", title)
	for i := range objects {
		o := &objects[i]
		config := o.Config()
		if o.Type != "" {
			config = strings.TrimSpace(config + " type={" + strings.ReplaceAll(strings.TrimSpace(o.Type), "\n", "; ") + "}")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", o.Name, o.Kind, size(o.Bytes), visible.Text(s.summary(o)), visible.Text(config))
	}
	w.Flush()
}

func (s *Snapshot) writeStreams(b io.Writer) {
	if len(s.Streams) == 0 {
		return
	}
	fmt.Fprintln(b)
	w := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "connection\tsince\tbytes\tstate")
	for i := range s.Streams {
		o := &s.Streams[i]
		fmt.Fprintf(w, "%s\t%s (%s)\t%s\t%s\n", o.Name, s.moment(o.Created), s.since(o.Created), size(o.Bytes), visible.Text(s.summary(o)))
	}
	w.Flush()
}

// summary is the object's state in a line.
func (s *Snapshot) summary(o *ObjectState) string {
	var is []string
	switch {
	case o.State == engine.WaitsForReaders && o.Owner != nil: // it does not hold it yet
		is = append(is, "writer "+s.held(o.Owner)+" waits for readers")
	default:
		if o.State != "" {
			is = append(is, o.State)
		}
		if o.Owner != nil {
			is = append(is, "held by "+s.held(o.Owner))
		}
	}
	if o.Cap > 0 {
		is = append(is, o.fill())
	} else if o.Len > 0 && o.Kind != engine.KindCond.String() { // its holders say who waits
		is = append(is, fmt.Sprintf("%d", o.Len))
	}
	if v := o.value(); v != "" {
		is = append(is, v)
	}
	holders := o.slowestFirst()
	for i := range holders[:min(len(holders), shownHolders)] {
		h := &holders[i]
		if !o.counts() {
			is = append(is, fmt.Sprintf("%s %s", h.What, s.held(h)))
			continue
		}
		if h.What == behind {
			is = append(is, fmt.Sprintf("%s is %d behind", s.held(h), h.N))
			continue
		}
		if o.Kind == engine.KindStream.String() {
			is = append(is, fmt.Sprintf("%s %s, whose peer has %d unread", h.What, s.held(h), h.N))
			continue
		}
		if h.What == notDone {
			is = append(is, fmt.Sprintf("%d got without TaskDone by %s", h.N, s.held(h)))
			continue
		}
		is = append(is, fmt.Sprintf("%d %s of %s", h.N, h.What, s.held(h)))
	}
	if n := len(holders) - shownHolders; n > 0 {
		is = append(is, fmt.Sprintf("and %d holders more", n))
	}
	switch {
	case len(o.Waits) > 0:
		is = append(is, s.waited(o.Waits))
	case o.Waiters > 1:
		is = append(is, fmt.Sprintf("%d waiting", o.Waiters))
	case o.Waiters == 1 && s.unshown():
		is = append(is, "perhaps waited for")
	}
	if len(is) == 0 {
		return "-"
	}
	return strings.Join(is, ", ")
}

// fill is how full the object is.
func (o *ObjectState) fill() string {
	switch o.Kind {
	case engine.KindQueue.String(): // those on lease have their places still
		n := 0
		for i := range o.Holders {
			if o.Holders[i].What == leased {
				n += o.Holders[i].N
			}
		}
		if n > 0 {
			return fmt.Sprintf("%d and %d on lease of %d", o.Len, n, o.Cap)
		}
	case engine.KindBoundedSemaphore.String():
		return fmt.Sprintf("%d of %d free", o.Len, o.Cap)
	case engine.KindPipe.String(), engine.KindStream.String():
		return fmt.Sprintf("%d of %d bytes", o.Len, o.Cap)
	}
	return fmt.Sprintf("%d of %d", o.Len, o.Cap)
}

// counts reports whether the object's holders have so many of it. Of others one is what it
// is: a producer, an end, a listener.
func (o *ObjectState) counts() bool {
	switch o.Kind {
	case engine.KindSPSC.String(), engine.KindPipe.String(), engine.KindListener.String():
		return false
	}
	return true
}

// slowestFirst is the holders, of a broadcast those first who are furthest behind: a
// publisher waits for the first.
func (o *ObjectState) slowestFirst() []Holder {
	n := func(h Holder) int {
		if h.What != behind {
			return -1
		}
		return h.N
	}
	holders := slices.Clone(o.Holders)
	slices.SortStableFunc(holders, func(a, b Holder) int { return cmp.Compare(n(b), n(a)) })
	return holders
}

// value is the value in words, where a number alone would not say of what.
func (o *ObjectState) value() string {
	if o.Value == "" {
		return ""
	}
	switch o.Kind {
	case engine.KindEvent.String():
		return "set so far: " + o.Value
	case engine.KindOnce.String():
		return "begun so far: " + o.Value
	case engine.KindSemaphore.String():
		return "count " + o.Value
	case engine.KindBroadcast.String():
		return "published so far: " + o.Value
	case engine.KindBoundedSemaphore.String():
		return "" // it is so many of its capacity
	}
	return o.Value
}

// cellsText is what cells hold that are no numbers, by the description of their type.
func cellsText(typ string, l *engine.Look) string {
	var is []string
	for _, b := range l.Cells {
		switch text := plain.Show(typ, b); {
		case b == nil:
			is = append(is, "?")
		case text != "":
			is = append(is, text)
		}
	}
	if len(is) == 0 {
		return l.Value
	}
	if l.Len > len(l.Cells) {
		is = append(is, "…")
	}
	return strings.Join(is, " ")
}

// unshown reports whether there are calls asleep of which nothing says for what.
func (s *Snapshot) unshown() bool {
	for i := range s.Participants {
		if s.Participants[i].Unshown > 0 {
			return true
		}
	}
	return false
}

// held names a holder, and says since when.
func (s *Snapshot) held(h *Holder) string {
	if h.Since.IsZero() {
		return h.String()
	}
	return fmt.Sprintf("%v since %s (%s)", h, s.moment(h.Since), s.since(h.Since))
}

// waited names the waiters.
func (s *Snapshot) waited(waits []Holder) string {
	var is []string
	for i := range waits[:min(len(waits), shownHolders)] {
		is = append(is, s.waiting(&waits[i]))
	}
	if n := len(waits) - shownHolders; n > 0 {
		is = append(is, fmt.Sprintf("and %d processes more", n))
	}
	return "waited for by " + strings.Join(is, ", ")
}

func (s *Snapshot) waiting(h *Holder) string {
	text := fmt.Sprintf("%v: %d", h, h.N)
	if !h.Since.IsZero() {
		text += " for " + s.since(h.Since)
	}
	return text
}

// since is how long before the snapshot t was.
func (s *Snapshot) since(t time.Time) string {
	d := max(s.Taken.Sub(t), 0)
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 100*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// moment is t without the day, if that is the snapshot's.
func (s *Snapshot) moment(t time.Time) string {
	if y, m, d := s.Taken.Date(); y == t.Year() && m == t.Month() && d == t.Day() {
		return t.Format("15:04:05")
	}
	return stamp(t)
}

// String names the participant: index.epoch, name and process.
func (h *Holder) String() string {
	switch {
	case h.Index < 0:
		return "a process that is attaching"
	case h.PID == 0:
		return fmt.Sprintf("#%d.%d (gone)", h.Index, h.Epoch)
	}
	text := fmt.Sprintf("#%d.%d (%s, pid %s", h.Index, h.Epoch, visible.Text(h.Name), pidText(h.PID, h.Elsewhere))
	switch {
	case h.Dead:
		text += ", dead"
	case h.Stopped:
		text += ", stopped"
	}
	return text + ")"
}

// trimmed is text without the spaces at the ends of its lines, which empty last
// columns leave.
func trimmed(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04:05") }

func size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, u := float64(n)/1024, 0
	for f >= 1024 {
		f, u = f/1024, u+1
	}
	return fmt.Sprintf("%.4g %ciB", f, units[u])
}
