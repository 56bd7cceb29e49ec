package plain

import (
	"fmt"
	"strings"
)

// diffMost is how many differing fields Diff names.
const diffMost = 4

// Diff says in what two descriptions of types differ, field by field: here is
// this program's, there the region's. "" means in nothing.
//
//	field B: float64 here, int64 in the region; field C: not here, uint8 in the region
func Diff(here, there string) string {
	if here == there {
		return ""
	}
	h, hSize := fields(here)
	t, tSize := fields(there)
	inThere := make(map[string]string, len(t))
	for _, f := range t {
		inThere[f.path] = f.what
	}
	var ds []string
	add := func(path, here, there string) {
		if path == "." {
			path = "type"
		} else {
			path = "field " + path
		}
		ds = append(ds, fmt.Sprintf("%s: %s here, %s in the region", path, here, there))
	}
	inHere := make(map[string]bool, len(h))
	for _, f := range h {
		inHere[f.path] = true
		if other, ok := inThere[f.path]; !ok {
			add(f.path, kind(f.what), "not")
		} else if other != f.what {
			a, b := f.what, other
			if kind(a) != kind(b) {
				a, b = kind(a), kind(b)
			}
			add(f.path, a, b)
		}
	}
	for _, f := range t {
		if !inHere[f.path] {
			add(f.path, "not", kind(f.what))
		}
	}
	if len(ds) == 0 {
		if hSize == tSize {
			return "the same fields in another order"
		}
		return fmt.Sprintf("%s here, %s in the region", hSize, tSize)
	}
	if n := len(ds) - diffMost; n > 0 {
		ds = append(ds[:diffMost], fmt.Sprintf("and %d more", n))
	}
	return strings.Join(ds, "; ")
}

type field struct{ path, what string } // what: "float64 @8"

// fields takes a description apart. The region's may hold anything.
func fields(text string) (fs []field, size string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		path, what, _ := strings.Cut(line, " ")
		if path == "size" && !strings.Contains(what, "@") {
			size = line
			continue
		}
		fs = append(fs, field{path, what})
	}
	return fs, size
}

func kind(what string) string {
	k, _, _ := strings.Cut(what, " ")
	return k
}
