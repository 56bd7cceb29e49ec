package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// textFiles lists the regular files under roots, in order. Which of them are
// text only their content tells.
func textFiles(roots []string) ([]string, error) {
	var files []string
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// count is what one file holds: nothing, if it is not text.
func count(path string) (words map[string]int, size int64, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	if bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
		return nil, 0, nil // as git tells text from binary
	}
	words, size = map[string]int{}, int64(len(text))
	for len(text) > 0 {
		n := 0
		for n < len(text) && isWord(text[n]) {
			n++
		}
		if n > 0 {
			words[string(text[:n])]++
		}
		text = text[n:]
		for len(text) > 0 && !isWord(text[0]) {
			text = text[1:]
		}
	}
	return words, size, nil
}

// isWord: letters, digits and underscores of ASCII, and all that is beyond it.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

// A tally sums up files.
type tally struct {
	files int
	bytes int64
	words map[string]int
}

func (t *tally) add(words map[string]int, size int64) {
	if t.words == nil {
		t.words = map[string]int{}
	}
	t.files++
	t.bytes += size
	for w, n := range words {
		t.words[w] += n
	}
}

func (t *tally) mb() float64 { return float64(t.bytes) / 1e6 }

func (t *tally) sum() (n int) {
	for _, k := range t.words {
		n += k
	}
	return n
}

func (t *tally) print(w io.Writer, top int) {
	words := slices.SortedFunc(maps.Keys(t.words), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.words[b], t.words[a]), cmp.Compare(a, b))
	})
	for _, word := range words[:min(top, len(words))] {
		fmt.Fprintf(w, "%10d  %s\n", t.words[word], word)
	}
	fmt.Fprintf(w, "%10d  words, %d different ones\n", t.sum(), len(t.words))
}

// differs names the first difference between two tallies, or is empty.
func (t *tally) differs(o tally) string {
	if t.files != o.files || t.bytes != o.bytes {
		return fmt.Sprintf("%d files with %d bytes, alone %d with %d", t.files, t.bytes, o.files, o.bytes)
	}
	for w, n := range o.words {
		if t.words[w] != n {
			return fmt.Sprintf("%q %d times, alone %d times", w, t.words[w], n)
		}
	}
	if len(t.words) != len(o.words) {
		return fmt.Sprintf("%d different words, alone %d", len(t.words), len(o.words))
	}
	return ""
}

func countAlone(ctx context.Context, files []string) (tally, error) {
	var t tally
	for _, path := range files {
		if err := ctx.Err(); err != nil {
			return t, err
		}
		words, size, err := count(path)
		if err != nil {
			return t, err
		}
		t.add(words, size)
	}
	return t, nil
}
