package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/visible"
)

// Info is what List tells of a region, without attaching to it.
type Info struct {
	Name         string      `json:"name"`
	Path         string      `json:"path"`
	ID           string      `json:"id"`           // 32 hexadecimal digits
	Size         int64       `json:"size"`         // bytes of address space
	Memory       int64       `json:"memory"`       // bytes that the file system gave it
	Participants int         `json:"participants"` // processes attached, by the locks they hold
	Limit        int         `json:"limit"`        // how many can be
	Objects      int         `json:"objects"`      // that have a name
	Created      time.Time   `json:"created"`
	Mode         fs.FileMode `json:"mode"`
	UID          int         `json:"uid"` // the owner
	Ephemeral    bool        `json:"ephemeral,omitempty"`
	Stale        bool        `json:"stale,omitempty"`   // ephemeral, and no process lives in it
	ThisBoot     bool        `json:"this_boot"`         // made since the machine came up
	Problem      string      `json:"problem,omitempty"` // why Open would refuse it: another layout, a damaged header
}

// List tells which regions are in Dir(), by name. Files that are no regions,
// or that this user may not read, are left out; what dead processes left of
// ephemeral regions is taken away. It blocks for nobody.
//
// It opens the files that are there, and closes them. By that a process gives up the POSIX
// locks (fcntl, F_SETLK) that it has on any of them, as by any close of such a file: let
// there be none but regions in Dir(), or list them in another process.
func List() ([]Info, error) { return list("shm.List", sweep) }

// ListAll is List but changes nothing: what is left of ephemeral regions stays,
// and is listed as Stale. It blocks for nobody, and closes what List closes.
func ListAll() ([]Info, error) { return list("shm.ListAll", os.ReadDir) }

func list(op string, read func(dir string) ([]fs.DirEntry, error)) ([]Info, error) {
	if !sys.Supported {
		return nil, &Error{Op: op, Err: errors.ErrUnsupported}
	}
	dir, err := filepath.Abs(Dir())
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	entries, err := read(dir)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	var infos []Info
	boot := sys.BootID()
	for _, e := range entries {
		if i, ok := info(filepath.Join(dir, e.Name()), boot); ok && region.ValidName(e.Name()) {
			i.Name = e.Name()
			infos = append(infos, i)
		}
	}
	return infos, nil
}

func info(path string, boot [16]byte) (Info, bool) {
	f, st, err := openFile(path, false)
	if err != nil {
		return Info{}, false
	}
	defer f.Close()
	i := Info{Path: path, Size: st.Size, Memory: st.Memory, Mode: st.Mode.Perm(), UID: st.UID}
	h, err := readHeader(f, st.Size)
	switch {
	case errors.Is(err, ErrVersion) || errors.Is(err, ErrCorrupt):
		i.Problem = err.Error()
		return i, true
	case err != nil:
		return i, false
	}
	i.ID = h.ID.String()
	i.Limit = int(h.Participants)
	i.Created = h.Created
	i.ThisBoot = h.Boot == boot
	i.Ephemeral = h.Flags&region.FlagEphemeral != 0
	if held, err := sys.Test(f, region.LifeByte); err == nil && !held {
		i.Stale = i.Ephemeral && h.Inode == st.Ino // a copy is not
	}
	i.Participants = attached(f, h.Geometry)
	var live [4]byte
	if _, err := f.ReadAt(live[:], int64(region.HdrDir+region.DirLive)); err == nil {
		i.Objects = int(min(binary.LittleEndian.Uint32(live[:]), h.Objects))
	}
	return i, true
}

// attached counts the participants whose byte is locked.
func attached(f *os.File, g region.Geometry) (n int) {
	for at, end := int64(g.RecordAt(0)), int64(g.RecordAt(g.Participants)); at < end; {
		next, held, err := sys.FirstLocked(f, at, end-at)
		if err != nil || !held {
			break
		}
		n++
		at = next + region.RecordSize
	}
	return n
}

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
