package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tandem/proc"
)

func TestMain(m *testing.M) {
	proc.Main()
	os.Exit(m.Run())
}

// writeTree makes n files of random words, with an odd one of every sort.
func writeTree(t *testing.T, n int) string {
	t.Helper()
	root := t.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		var b bytes.Buffer
		for range rnd.IntN(400) {
			fmt.Fprintf(&b, "word%d, ", rnd.IntN(1+i))
		}
		dir := filepath.Join(root, fmt.Sprintf("d%d", i%7))
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d.txt", i)), b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"empty": "", "binary": "a\x00b", "spaces": " \n\t ", "utf8": "wörter über wörter"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("empty", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	return root
}

// Killed or not, with however many workers: the same words, and the program's
// own comparison agrees.
func TestSameCount(t *testing.T) {
	root := writeTree(t, 500)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var alone bytes.Buffer
	if err := run(ctx, config{roots: []string{root}, top: 20}, &alone, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	want := words(t, alone.String())
	for _, c := range []config{{workers: 1}, {workers: 3}, {workers: 4, kills: 20}} {
		c.roots, c.top, c.check = []string{root}, 20, true
		t.Run(fmt.Sprintf("workers=%d,kills=%d", c.workers, c.kills), func(t *testing.T) {
			var out, progress bytes.Buffer
			if err := run(ctx, c, &out, &progress); err != nil {
				t.Fatalf("%v\n%s", err, &progress)
			}
			if got := words(t, out.String()); got != want {
				t.Errorf("%s\nwant\n%s", got, want)
			}
			if !strings.Contains(out.String(), "checked: ") {
				t.Errorf("it does not say that it compared:\n%s", &out)
			}
			if !strings.Contains(progress.String(), fmt.Sprintf(" %d killed", c.kills)) {
				t.Errorf("want %d killed:\n%s", c.kills, strings.ReplaceAll(progress.String(), "\r", "\n"))
			}
		})
	}
}

// words is the part of the output that does not depend on the time it took.
func words(t *testing.T, out string) string {
	t.Helper()
	before, _, ok := strings.Cut(out, "different ones\n")
	if !ok {
		t.Fatalf("no words in %q", out)
	}
	return before
}

func TestAWorkersErrorEndsTheRun(t *testing.T) {
	root := writeTree(t, 50)
	gone := filepath.Join(root, "gone.txt")
	files, err := textFiles([]string{root})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = countTogether(ctx, config{workers: 2}, append(files, gone), &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "worker") || ctx.Err() != nil {
		t.Errorf("with a file that is not there: %v, want a worker's failure", err)
	}
}
