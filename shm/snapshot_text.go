package shm

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// String is the snapshot as a table to read.
func (s *Snapshot) String() string {
	var b strings.Builder
	s.writeRegion(&b)
	s.writeParticipants(&b)
	writeObjects(&b, "object", s.Objects)
	writeObjects(&b, "removed", s.Removed)
	for _, d := range s.Damage {
		fmt.Fprintln(&b, "damage:", d)
	}
	return b.String()
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
	add(r.Ended, "ended")
	add(!r.ThisBoot, "of another boot")
	fmt.Fprintf(b, "region %s  id %s  layout %d  %s", r.Name, r.ID, r.Version, strings.Join(is, ", "))
	fmt.Fprintf(b, "\nmade %s  %s of address space", stamp(r.Created), size(r.Size))
	fmt.Fprintf(b, "\nheap %s: %s used, %s free", size(s.Memory.Heap), size(s.Memory.Used), size(s.Memory.Free))
	if s.Memory.FileFree >= 0 {
		fmt.Fprintf(b, " (%s free in the file system)", size(s.Memory.FileFree))
	}
	fmt.Fprintf(b, "\ndirectory: %d objects of %d, %d removed and still open, %d changes", s.Directory.Live, r.Objects, s.Directory.Removed, s.Directory.Changes)
	if s.Directory.Lock != "" {
		fmt.Fprintf(b, ", lock %s", s.Directory.Lock)
	}
	if s.Directory.Holder != nil {
		fmt.Fprintf(b, ", being changed by %v", s.Directory.Holder)
	}
	fmt.Fprintln(b)
}

func (s *Snapshot) writeParticipants(b io.Writer) {
	fmt.Fprintf(b, "\n%d participants of %d\n", len(s.Participants), s.Region.Participants)
	if len(s.Participants) == 0 {
		return
	}
	w := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "  index\tepoch\tpid\tname\tstate\tattached\topen\trecoveries")
	for _, p := range s.Participants {
		recoveries := fmt.Sprint(p.Recoveries)
		if p.Rescues > 0 {
			recoveries += fmt.Sprintf(" (%d late)", p.Rescues)
		}
		fmt.Fprintf(w, "  %d\t%d\t%d\t%s\t%v\t%s\t%d\t%s\n", p.Index, p.Epoch, p.PID, printable(p.Name), p.State, stamp(p.Started), p.Open, recoveries)
	}
	w.Flush()
}

func writeObjects(b io.Writer, title string, objects []ObjectState) {
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
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", o.Name, o.Kind, size(o.Bytes), printable(o.summary()), printable(config))
	}
	w.Flush()
}

// summary is the object's state in a line.
func (o *ObjectState) summary() string {
	var is []string
	if o.State != "" {
		is = append(is, o.State)
	}
	if o.Owner != nil {
		is = append(is, fmt.Sprintf("held by %v", o.Owner))
	}
	if o.Cap > 0 {
		is = append(is, fmt.Sprintf("%d of %d", o.Len, o.Cap))
	} else if o.Len > 0 {
		is = append(is, fmt.Sprintf("%d", o.Len))
	}
	if o.Value != "" {
		is = append(is, o.Value)
	}
	for _, h := range o.Holders {
		is = append(is, fmt.Sprintf("%d %s of %v", h.N, h.What, &h))
	}
	switch {
	case o.Waiters == 1:
		is = append(is, "waited for")
	case o.Waiters > 1:
		is = append(is, fmt.Sprintf("%d waiting", o.Waiters))
	}
	if len(is) == 0 {
		return "-"
	}
	return strings.Join(is, ", ")
}

// String names the participant: index.epoch, name and process.
func (h *Holder) String() string {
	if h.PID == 0 {
		return fmt.Sprintf("#%d.%d (gone)", h.Index, h.Epoch)
	}
	return fmt.Sprintf("#%d.%d (%s, pid %d)", h.Index, h.Epoch, printable(h.Name), h.PID)
}

// printable keeps what a region says of itself from moving the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\ufffd' {
			return '?'
		}
		return r
	}, s)
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
