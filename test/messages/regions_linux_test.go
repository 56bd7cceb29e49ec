package messages_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

func create(name string, o *shm.Options) func() error {
	return func() error { return second(shm.Create(name, o)) }
}
func open(name string) func() error { return func() error { return second(shm.Open(name, nil)) } }
func openOrCreate(name string) func() error {
	return func() error { return second(shm.OpenOrCreate(name, nil)) }
}
func remove(name string) func() error { return func() error { return shm.Remove(name) } }

func TestRegionNames(t *testing.T) {
	feed(t, nil)
	const want = `want 1 to 200 of A-Z a-z 0-9 . _ - (not . or ..), or a path with a slash: invalid argument`
	check(t, []row{
		{"empty", create("", nil), fs.ErrInvalid, `shm.Create: name "", ` + want},
		{"dots", open(".."), fs.ErrInvalid, `shm.Open ..: name "..", ` + want},
		{"space", openOrCreate("a b"), fs.ErrInvalid, `shm.OpenOrCreate a b: name "a b", ` + want},
		{"zero", create("a\x00", nil), fs.ErrInvalid, `shm.Create "a\x00": name "a\x00", ` + want},
		{"remove", remove("a b"), fs.ErrInvalid, `shm.Remove a b: name "a b", ` + want},
		{"directory", create("/tmp/", nil), fs.ErrInvalid, `shm.Create /tmp/: path "/tmp/", want one that ends in a file's name: invalid argument`},
		{"none", open("fead"), fs.ErrNotExist, "shm.Open fead: stat $DIR/fead: no such file or directory"},
		{"none to remove", remove("fead"), fs.ErrNotExist, "shm.Remove fead: stat $DIR/fead: no such file or directory"},
		{"there", create("feed", nil), fs.ErrExist, "shm.Create feed: create $DIR/feed: file already exists"},
		{"nowhere", create(shm.Dir()+"/no/feed", nil), fs.ErrNotExist, "shm.Create $DIR/no/feed: create in $DIR/no: no such file or directory"},
	})
}

func TestRegionNumbers(t *testing.T) {
	t.Setenv("TANDEM_DIR", t.TempDir())
	check(t, []row{
		{"size", create("feed", &shm.Options{Size: -1}), fs.ErrInvalid, "shm.Create feed: size -1, want at least 1, or 0 for 1073741824: invalid argument"},
		{"too small", create("feed", &shm.Options{Size: 1}), fs.ErrInvalid, "shm.Create feed: size #, want at least # for 64 participants and 1024 objects: invalid argument"},
		{"too large", create("feed", &shm.Options{Size: 1 << 62}), fs.ErrInvalid, "shm.Create feed: size 4611686018427387904, want at most 70368744177664: invalid argument"},
		{"participants", create("feed", &shm.Options{Participants: 1025}), fs.ErrInvalid, "shm.Create feed: 1025 participants, want 1 to 1024, or 0 for 64: invalid argument"},
		{"objects", create("feed", &shm.Options{Objects: -5}), fs.ErrInvalid, "shm.Create feed: -5 objects, want 1 to 1048576, or 0 for 1024: invalid argument"},
		{"mode", create("feed", &shm.Options{Mode: 0o200}), fs.ErrInvalid, "shm.Create feed: mode 0200, want permissions only, and the owner's reading and writing among them: invalid argument"},
		{"read-only", create("feed", &shm.Options{ReadOnly: true}), fs.ErrInvalid, "shm.Create feed: a new region, read-only: invalid argument"},
		{"anonymous", func() error { return second(shm.Anonymous(&shm.Options{Participants: -1})) }, fs.ErrInvalid, "shm.Anonymous: -1 participants, want 1 to 1024, or 0 for 64: invalid argument"},
	})
	if l, err := os.ReadDir(shm.Dir()); err != nil || len(l) != 0 {
		t.Errorf("the directory has %v, %v", l, err)
	}
}

// What is no region is told what it is, and stays what it was.
func TestNoRegions(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TANDEM_DIR", dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(syscall.Mkfifo(at("fifo"), 0o600))
	ok(os.Symlink("short", at("link")))
	ok(os.Mkdir(at("dir"), 0o700))
	ok(os.WriteFile(at("short"), []byte("hi"), 0o600))
	ok(os.WriteFile(at("text"), []byte(strings.Repeat("hello ", 2000)), 0o600))
	region := func(name string, off int64, b ...byte) {
		r := testproc.Get(shm.Create(name, &shm.Options{Size: 1 << 20}))(t)
		ok(r.Close())
		f := testproc.Get(os.OpenFile(at(name), os.O_RDWR, 0))(t)
		defer f.Close()
		testproc.Get(f.WriteAt(b, off))(t)
	}
	region("version", 8, 9)
	region("pages", 65, 0x40)
	region("cut", 0)
	ok(os.Truncate(at("cut"), 8192))
	before := map[string]os.FileInfo{}
	list := testproc.Get(os.ReadDir(dir))(t)
	for _, e := range list {
		before[e.Name()] = testproc.Get(e.Info())(t)
	}
	check(t, []row{
		{"fifo", open("fifo"), shm.ErrNotRegion, "shm.Open fifo: $DIR/fifo is a fifo: not a region"},
		{"link", open("link"), shm.ErrNotRegion, "shm.Open link: $DIR/link is a symbolic link, and links are not followed: not a region"},
		{"dir", openOrCreate("dir"), shm.ErrNotRegion, "shm.OpenOrCreate dir: $DIR/dir is a directory: not a region"},
		{"short", open("short"), shm.ErrNotRegion, "shm.Open short: 2 bytes, want at least 4096: not a region"},
		{"text", open("text"), shm.ErrNotRegion, "shm.Open text: it starts with 0x6568206f6c6c6568, a region with 0x4d45444e41540a1a: not a region"},
		{"create over", create("text", nil), fs.ErrExist, "shm.Create text: create $DIR/text: file already exists"},
		{"remove fifo", remove("fifo"), shm.ErrNotRegion, "shm.Remove fifo: $DIR/fifo is a fifo: not a region"},
		{"remove text", remove("text"), shm.ErrNotRegion, "shm.Remove text: it starts with 0x6568206f6c6c6568, a region with 0x4d45444e41540a1a: not a region"},
		{"version", open("version"), shm.ErrVersion, "shm.Open version: layout version 9, this build has #: made for another layout or page size"},
		{"pages", openOrCreate("pages"), shm.ErrVersion, "shm.OpenOrCreate pages: made for pages of # bytes, this system has #: made for another layout or page size"},
		{"cut", open("cut"), shm.ErrCorrupt, "shm.Open cut: the header says 1048576 bytes, the file has 8192: region is corrupt"},
	})
	for name, was := range before {
		is, err := os.Lstat(at(name))
		if err != nil || is.Size() != was.Size() || is.ModTime() != was.ModTime() || !os.SameFile(is, was) {
			t.Errorf("%s was %v and is %v, %v", name, was, is, err)
		}
	}
}

func TestForeignOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("giving a file away takes root")
	}
	r := feed(t, nil)
	if err := os.Chown(filepath.Join(shm.Dir(), "feed"), 1234, -1); err != nil {
		t.Fatal(err)
	}
	check(t, []row{{"open", open("feed"), fs.ErrPermission,
		"shm.Open feed: owned by uid 1234, want 0 or root (Options.AnyOwner accepts others): permission denied"}})
	o := testproc.Get(shm.Open("feed", &shm.Options{AnyOwner: true}))(t)
	if o.Self() != r.Self() {
		t.Error("AnyOwner opened something else")
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

// A file system that is full has no room for a region, or for one more object.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("mounting takes root: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	t.Setenv("TANDEM_DIR", dir)
	r := testproc.Get(shm.Create("feed", nil))(t)
	t.Cleanup(func() { r.Close() })
	unchanged(t, r)
	check(t, []row{
		{"object", array[int64](r, "cells", 1<<20), shm.ErrNoSpace, "atomics.OpenArray feed/cells: no space: # bytes needed, # free in the region (of #), # free in its file system: no space left on device"},
		{"region", create("other", &shm.Options{Objects: 1 << 16}), shm.ErrNoSpace, "shm.Create other: header and directory need # bytes, the file system has # free: no space"},
	})
	if l, err := os.ReadDir(dir); err != nil || len(l) != 1 {
		t.Errorf("the directory has %v, %v", l, err)
	}
}
