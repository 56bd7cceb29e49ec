package golden

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

func TestMain(m *testing.M) { testproc.Main(m) }

var update = flag.Bool("update", false, "write the images that testdata does not have")

const testdata = "../../testdata"

// The images are of systems with pages of this size.
const pageSize = 4096

func needPages(t *testing.T) {
	t.Helper()
	if n := os.Getpagesize(); n != pageSize {
		t.Skipf("the images are of systems with pages of %d bytes, this one's have %d", pageSize, n)
	}
}

// stage is an actor's process: scene, actor, path.
var stage = testproc.Role("golden", func(args []string) {
	i, err := strconv.Atoi(args[1])
	testproc.Must(err)
	sys.SetName(fmt.Sprint("actor-", i))
	for _, s := range scenes {
		if s.name == args[0] {
			a := &actor{path: args[2]}
			s.actors[i](a)
			a.yield()
			testproc.Must(a.r.Close())
		}
	}
})

// play plays a scene to its last turn, after which all actors live and wait.
func (s *scene) play(t *testing.T, path string) []*testproc.Child {
	t.Helper()
	children := make([]*testproc.Child, len(s.actors))
	for _, i := range s.order {
		if i < 0 {
			children[^i].Kill()
			continue
		}
		if children[i] == nil {
			children[i] = stage.Start(t, s.name, strconv.Itoa(i), path)
		} else {
			children[i].Say("go on")
		}
		children[i].Expect("done")
	}
	return children
}

// perform plays a scene to its end and returns the file as it was left.
func (s *scene) perform(t *testing.T) []byte {
	t.Helper()
	path := testPath(t)
	children := s.play(t, path)
	if s.close {
		for i, c := range children {
			c.Say("go on")
			if err := c.Wait(); err != nil {
				t.Fatalf("actor %d: %v", i, err)
			}
		}
	} else {
		for _, c := range children {
			c.Freeze() // or it would recover those that are killed before it
		}
		for _, c := range children {
			c.Kill()
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tandem-test-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "region")
}

func imagePath(version uint32, name string) string {
	return filepath.Join(testdata, fmt.Sprint("v", version), name+".gz")
}

func readImage(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func writeImage(path string, b []byte) error {
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if err != nil {
		return err
	}
	w.Write(b)
	w.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, z.Bytes(), 0o666)
}

// Regions are written byte for byte as when this layout version was made.
func TestGolden(t *testing.T) {
	needPages(t)
	for i := range scenes {
		s := &scenes[i]
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			b := s.perform(t)
			normalise(b)
			version := le.Uint32(b[8:])
			path := imagePath(version, s.name)
			want, err := readImage(path)
			if errors.Is(err, fs.ErrNotExist) && *update {
				if err := writeImage(path, b); err != nil {
					t.Fatal(err)
				}
				return
			}
			if errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("there is no image for layout version %d: go test ./test/golden -run Golden -update makes it", version)
			}
			if err != nil {
				t.Fatal(err)
			}
			normalise(want) // what has varied since it was made
			if d := difference(b, want); d != "" {
				t.Errorf("regions are not what they were in layout version %d:\n%sRaise the version (package golden says how)", version, d)
			}
		})
	}
}

// An image does not tell whether two wanted the directory's lock at one time,
// and that one slept for it; but does tell who has it, that it is abandoned, and
// who sleeps.
func TestGoldenDirectoryLock(t *testing.T) {
	needPages(t)
	image := check(readImage(imagePath(current(t), "queue")))(t)
	normalise(image)
	for _, c := range []struct {
		name  string
		at    int
		v     uint64
		tells bool
	}{
		{"somebody may sleep", 256, 1 << 31, false},
		{"starved, and a later sequence", 256, 1<<31 | 1<<28 | 7<<11, false},
		{"since", 264, 77, false},
		{"waits", 320, 1, false},
		{"last owner", 352, 1<<32 | 2, false},
		{"holder", 256, 1<<32 | 2, true},
		{"abandoned", 256, 1 << 30, true},
		{"after the counters", 360, 1, true},
		{"left in a free slot", 5016, 77, false},
		{"sleeps", 5008, 1<<46 | 256, true},
	} {
		b := bytes.Clone(image)
		le.PutUint64(b[c.at:], c.v)
		normalise(b)
		if d := difference(b, image); (d != "") != c.tells {
			t.Errorf("%s: differs: %q", c.name, d)
		}
	}
}

// difference lists the first words that differ.
func difference(got, want []byte) string {
	if len(got) != len(want) {
		return fmt.Sprintf("\t%d bytes, want %d\n", len(got), len(want))
	}
	var b strings.Builder
	n := 0
	for i := 0; i < len(got); i += 8 {
		if g, w := le.Uint64(got[i:]), le.Uint64(want[i:]); g != w {
			if n++; n <= 16 {
				fmt.Fprintf(&b, "\tat %6d: %016x, want %016x (%s)\n", i, g, w, place(want, uint64(i)))
			}
		}
	}
	if n > 16 {
		fmt.Fprintf(&b, "\tand %d words more\n", n-16)
	}
	return b.String()
}

// place says where in a region an offset is.
func place(b []byte, off uint64) string {
	participants, objects := uint64(le.Uint32(b[40:])), uint64(le.Uint32(b[44:]))
	openers := up(4096+256*participants, 128)
	waits := up(openers+participants*up(objects, 64)/8, 128)
	entries := up(waits+512*participants, 128)
	switch {
	case off < 4096:
		return "header"
	case off < openers:
		return fmt.Sprintf("participant %d, byte %d", (off-4096)/256, off%256)
	case off < waits:
		return "openers"
	case off < entries:
		return fmt.Sprintf("waits of participant %d, byte %d", (off-waits)/512, (off-waits)%512)
	case off < entries+320*objects:
		return fmt.Sprintf("entry %d, byte %d", (off-entries)/320, (off-entries)%320)
	}
	for i := range objects {
		e := entries + 320*i
		at, n := le.Uint64(b[e+24:]), le.Uint64(b[e+32:])
		if le.Uint32(b[e:]) != 0 && off >= at && off-at < n {
			return fmt.Sprintf("object %s, byte %d", bytes.TrimRight(b[e+72:e+272], "\x00"), off-at)
		}
	}
	return "tables or free"
}

// current is the layout version of this build.
func current(t *testing.T) uint32 {
	t.Helper()
	r := check(shm.Create(testPath(t), &shm.Options{Size: 1 << 20}))(t)
	defer r.Close()
	return check(r.Snapshot())(t).Region.Version
}

// copyImage is an image of this build's version as a region's file.
func copyImage(t *testing.T, name string) (path string) {
	t.Helper()
	needPages(t)
	b, err := readImage(imagePath(current(t), name))
	if err != nil {
		t.Fatal(err)
	}
	path = testPath(t)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Images of layout versions that this build does not have are refused, and
// those that it has are whole.
func TestGoldenVersions(t *testing.T) {
	needPages(t)
	now := fmt.Sprint("v", current(t))
	paths, err := filepath.Glob(filepath.Join(testdata, "v*", "*.gz"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no images", err)
	}
	for _, p := range paths {
		b, err := readImage(p)
		if err != nil {
			t.Fatal(err)
		}
		path := testPath(t)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := shm.Open(path, &shm.Options{ReadOnly: true})
		if filepath.Base(filepath.Dir(p)) != now {
			if !errors.Is(err, shm.ErrVersion) {
				t.Errorf("%s: %v, want %v", p, err, shm.ErrVersion)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		if err := r.Check(); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
