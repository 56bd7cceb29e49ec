package shm

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"example.com/tandem/internal/visible"
)

// ListText is a list of regions as a table to read.
func ListText(regions []Info) string {
	var b strings.Builder
	if len(regions) == 0 {
		fmt.Fprintf(&b, "no regions in %s\n", visible.Text(Dir()))
		return b.String()
	}
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "region\tsize\tmemory\tattached\tobjects\tage\t")
	for i := range regions {
		r := &regions[i]
		if r.Problem != "" {
			fmt.Fprintf(w, "%s\t%s\t%s\t?\t?\t?\t%s\n", visible.Text(r.Name), size(r.Size), size(r.Memory), visible.Text(r.Problem))
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d of %d\t%d\t%s\t%s\n", visible.Text(r.Name), size(r.Size), size(r.Memory),
			r.Participants, r.Limit, r.Objects, age(time.Since(r.Created)), strings.Join(r.notes(), ", "))
	}
	w.Flush()
	return trimmed(b.String())
}

func (i *Info) notes() (is []string) {
	if i.Ephemeral {
		is = append(is, "ephemeral")
	}
	if i.Stale {
		is = append(is, "stale")
	}
	if !i.ThisBoot {
		is = append(is, "of another boot")
	}
	return is
}

// age is a time in its largest unit, or two.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < day:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
}
