package golden

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A seen is what testdata/read_region.py, which knows no more than
// docs/layout.md, finds in a region.
type seen struct {
	Header struct {
		Version         uint32
		Ephemeral       bool
		Anonymous       bool
		Unfenced        bool
		Ended           bool
		Size            int64
		ID              string
		MaxParticipants int `json:"max_participants"`
		MaxObjects      int `json:"max_objects"`
		Boot            string
		PageSize        int `json:"page_size"`
		Created         int64
		Inode           uint64
	}
	Directory struct {
		Changing       bool
		Seq            int64
		Live           int
		Lock           seenLock
		FreeEntries    []int      `json:"free_entries"`
		RemovedEntries []int      `json:"removed_entries"`
		FreeRuns       [][2]int64 `json:"free_runs"`
	}
	Participants []struct {
		Index, PID, Open    int
		Asleep              int
		Epoch               uint32
		State, Name         string
		Attached            int64
		Recoveries, Rescues int64
		TID                 int
		Suspected, Sound    bool
		Recoverer           *seenWho
	}
	Objects []seenObject
}

type seenWho struct {
	Index int
	Epoch uint32
}

type seenLock struct {
	Owner              *seenWho
	Abandoned, Offered bool
}

type seenObject struct {
	seenLock
	seenSync
	Entry         int
	State, Damage string
	Name, Kind    string
	Bytes         int64
	Created       int64
	OpenIn        []int `json:"open_in"`
	ByName        *int  `json:"by_name"`
	Waits         map[int]int
	Fields        map[string]string
	Waiters       bool

	N     int
	Cells json.RawMessage

	Slots    int
	ShutDown bool `json:"shut_down"`
	Phases   map[string]int
	NotDone  []struct {
		seenWho
		Count int
	} `json:"not_done"`
	Published   uint64
	Ended       bool
	Subscribers []struct {
		seenWho
		Count int
	}
	Lent []struct {
		seenWho
		Count int
	} `json:"lent"`
	Got                uint64
	End                *uint64
	Producer, Consumer *seenWho

	Ends []struct {
		End, State string
		Holders    []int
		Who        *seenWho
		Gone       bool
	}
	Listens *seenWho
	Backlog []struct{ Entry, Generation uint64 }
	Answer  string
	Ways    []struct {
		From           string
		Sent, Received uint64
		Messages       []struct{ Message json.RawMessage }
	}

	Messages, Taken []struct {
		Slot    int
		Phase   string
		Again   int
		Holder  *seenWho
		Message json.RawMessage
	}
}

func python(t *testing.T, path string) *seen {
	t.Helper()
	exe, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: ", err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(exe, filepath.Join(testdata, "read_region.py"), path)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("read_region.py %s: %v\n%s", path, err, &stderr)
	}
	s := new(seen)
	if err := json.Unmarshal(out, s); err != nil {
		t.Fatalf("read_region.py %s: %v", path, err)
	}
	for _, o := range s.Objects {
		if o.Damage != "" {
			t.Errorf("entry %d: %s", o.Entry, o.Damage)
		}
	}
	return s
}

func (s *seen) object(t *testing.T, name string) *seenObject {
	t.Helper()
	for i := range s.Objects {
		if s.Objects[i].Name == name {
			return &s.Objects[i]
		}
	}
	t.Fatalf("no object %s", name)
	return nil
}

// contents are what is in the images' objects, as JSON.
var contents = map[string]map[string]string{
	"cells": {
		"balance": "[-5000000000]",
		"level":   "[200]",
		"on":      "[true]",
		"ratio":   "[-3.25]",
		"pair":    `[{"Flag":true,"Level":-2}]`,
		"temps":   "[-1,2,-300,400,-32768]",
		"weights": "[0.5,-1.25,1048576.0]",
		"old":     "[1]", // removed, but its memory is still its own
		"rows": `[{"ID":9223372036854775808,"Grid":[[1.0,2.0,3.0],[4.0,5.0,6.0]],"Done":false,"Legs[].Length":[0,0],"Legs[].Dir":[0,0]},` +
			`{"ID":0,"Grid":[[0.0,0.0,0.0],[0.0,0.0,0.0]],"Done":true,"Legs[].Length":[0,65535],"Legs[].Dir":[0,-128]}]`,
	},
	"wide": {
		"track":  `[{"At":1010,"Up":true,"XYZ":[0.0,0.0,4.0],"Code":[0,0,0,0,0]}]`,
		"first":  `[{"At":0,"Up":true,"XYZ":[0.5,-2.0,4.0],"Code":[0,0,0,0,0]}]`,
		"pixels": "[[1,2,3],[255,254,253],[0,0,0],[7,8,9]]",
		"sheets": "[[" + strings.Repeat("0,", 39) + "0],[1," + strings.Repeat("0,", 38) + "-39]]",
	},
	"held": {"guarded": "[8]"},
	"broadcast": {
		"ticks": "full 0: 1099511627776, full 0: 1099511627777, full 0: 7",
		"news":  `full 0: "` + long("news 4 ") + `", full 0: "` + long("news 5 ") + `"`,
		"over":  `full 0: {"X":1.0,"Y":-1.0}`,
	},
	"queue": {
		"numbers": "returned 1: 1099511627779, full 0: 1099511627780",
		"pages":   "full 0: [-1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,19]",
		"weeks":   "full 0: [0,0,0,0,0,0,7], full 0: [0,0,0,0,0,0,-7]",
		"texts":   `full 0: "` + long("abc") + `", full 0: "` + strings.Repeat("x", 113) + `"`,
		"jobs":    `returned 0: "job 3", full 0: "job 4", leased 0: "job 0"`,
		"parts":   `full 0: "` + long("chained ") + `", leased 0: "` + strings.Repeat("part 0", 20) + `", leased 0: "` + strings.Repeat("part 2", 20) + `"`,
		"lent":    `full 0: "` + hex.EncodeToString([]byte(long("lent")[:200])) + `"`,
		"last":    `full 0: "0001feff"`,
		"points":  `full 0: {"X":-1.5,"Y":2.0}`,
		"people":  `full 0: "a2644e616d6563416461634167651824"`,
		"end":     "",
	},
	"spsc": {
		"points": `{"X":3.0,"Y":-3.0}, {"X":4.0,"Y":-4.0}, {"X":5.0,"Y":-5.0}`,
		"back":   "9223372036854775808",
		"over":   "",
		"half":   "8, 9",
	},
	"pipe": {
		"talk":    `from the left: "two", "", from the right: "` + long("round ") + `"`,
		"numbers": "from the left: -2, 3",
		"idle":    "from the left: , from the right: ",
	},
	"stream": {"web": "[{2 3}]"},
}

// The reader finds in the images what Go does, and what was put there.
func TestPythonImages(t *testing.T) {
	for _, scene := range scenes {
		t.Run(scene.name, func(t *testing.T) {
			t.Parallel()
			s := python(t, imagePath(current(t), scene.name))
			compare(t, s, snapshot(t, copyImage(t, scene.name)))
			for name, wanted := range contents[scene.name] {
				want(t, name, s.object(t, name).text(t), wanted)
			}
		})
	}
}

// text is what stands in an object.
func (o *seenObject) text(t *testing.T) string {
	switch o.Kind {
	case "queue", "broadcast":
	case "spsc":
		var ms []string
		for _, m := range o.Messages {
			ms = append(ms, compact(t, m.Message))
		}
		return strings.Join(ms, ", ")
	case "listener":
		return fmt.Sprint(o.Backlog)
	case "pipe", "stream":
		var ways []string
		for _, w := range o.Ways {
			var ms []string
			for _, m := range w.Messages {
				ms = append(ms, compact(t, m.Message))
			}
			ways = append(ways, "from the "+w.From+": "+strings.Join(ms, ", "))
		}
		return strings.Join(ways, ", ")
	case "value", "array", "slice":
		return compact(t, o.Cells)
	default:
		return o.seenSync.text(o.Kind)
	}
	var ms []string
	for _, m := range append(o.Messages, o.Taken...) {
		ms = append(ms, fmt.Sprintf("%s %d: %s", m.Phase, m.Again, compact(t, m.Message)))
	}
	return strings.Join(ms, ", ")
}

func compact(t *testing.T, b json.RawMessage) string {
	var out bytes.Buffer
	if b != nil {
		if err := json.Compact(&out, b); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// A directory whose changer was killed in the middle has an odd seq for ever;
// its entries are to be read all the same.
func TestPythonHalfChanged(t *testing.T) {
	path := copyImage(t, "cells")
	f := check(os.OpenFile(path, os.O_RDWR, 0))(t)
	defer f.Close()
	if _, err := f.WriteAt([]byte{25}, 384); err != nil {
		t.Fatal(err)
	}
	s := python(t, path)
	want(t, "changing", s.Directory.Changing, true)
	want(t, "objects", len(s.Objects), 10)
	want(t, "balance", compact(t, s.object(t, "balance").Cells), "[-5000000000]")
}

// The reader looks at the scenes while their actors live.
func TestPythonLive(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			path := testPath(t)
			for _, c := range s.play(t, path) {
				c.Freeze() // a guard's round may come between the two looks
			}
			compare(t, python(t, path), snapshot(t, path))
		})
	}
}

// Nothing stands still: objects come and go, messages of one letter each pass
// through a queue, and an array's cells are all of one value.
func TestPythonWhileItChanges(t *testing.T) {
	r := shmtest.Region(t)
	m := check(sync.OpenMutex(r, "always"))(t)
	if err := m.Lock(testproc.Watchdog(t)); err != nil {
		t.Fatal(err)
	}
	letters := check(ring.OpenQueue[string](r, "letters", &ring.QueueOptions{Capacity: 8, Buffer: 8192, MaxMessage: 2000}))(t)
	stop, done := make(chan bool), make(chan error, 2)
	go func() { done <- passLetters(letters, stop) }()
	go func() { done <- comeAndGo(r, stop) }()
	for range 3 {
		s := python(t, r.Name())
		want(t, "holder", who(s.object(t, "always").Owner), who(&seenWho{r.Self().Index, r.Self().Epoch}))
		q := s.object(t, "letters")
		for _, m := range append(q.Messages, q.Taken...) {
			var text string
			if err := json.Unmarshal(m.Message, &text); err != nil || text == "" || strings.Trim(text, text[:1]) != "" {
				t.Errorf("a message in slot %d, %s, is %q, %v", m.Slot, m.Phase, text, err)
			}
		}
		for _, o := range s.Objects {
			if o.Kind == "array" && o.State == "live" {
				var cells []string
				for c := range strings.SplitSeq(strings.Trim(compact(t, o.Cells), "[]"), ",") {
					cells = append(cells, c)
				}
				want(t, o.Name, fmt.Sprint(len(cells)), o.Fields["length"])
				// It is filled after it was made: zeroes, or that, not another's.
				for _, c := range cells {
					if c != "0" && c != o.Fields["length"] {
						t.Errorf("array %s of %d cells has a %s", o.Name, len(cells), c)
					}
				}
			}
		}
	}
	close(stop)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := m.Unlock(); err != nil {
		t.Error(err)
	}
}

func passLetters(q *ring.Queue[string], stop chan bool) error {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := q.Put(ctx, strings.Repeat(string(rune('a'+n%26)), 1+n*37%2000)); err != nil {
			return err
		}
		if n >= 3 {
			if _, err := q.Get(ctx); err != nil {
				return err
			}
			if err := q.TaskDone(); err != nil {
				return err
			}
		}
	}
}

func comeAndGo(r *shm.Region, stop chan bool) error {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		if n%100 == 99 {
			runtime.GC() // the handles' objects are in use as long as they are
		}
		length := 1 + n*37%600
		a, err := atomics.OpenArray[int64](r, fmt.Sprint("array-", n%3), length)
		if err != nil {
			return err
		}
		for i := range length {
			a.Store(i, int64(length))
		}
		if err := r.Remove(fmt.Sprint("array-", n%3)); err != nil {
			return err
		}
	}
}
