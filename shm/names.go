package shm

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"example.com/tandem/internal/region"
)

// Dir is the directory in which regions without a slash in their name are
// files: $TANDEM_DIR, or /dev/shm.
func Dir() string {
	if d := os.Getenv("TANDEM_DIR"); d != "" {
		return d
	}
	return "/dev/shm"
}

// checkObjectName is nil for a name that an object may have.
func checkObjectName(name string) error {
	if !region.ValidName(name) {
		return fmt.Errorf("name %s, want 1 to %d of A-Z a-z 0-9 . _ - (not . or ..): %w", quoted(name), region.EntNameMax, fs.ErrInvalid)
	}
	return nil
}

// resolve says which file a region's name means. The path is absolute, so
// that it is the same after a change of the working directory.
func resolve(name string) (path string, err error) {
	switch {
	case strings.Contains(name, "/"):
		base := name[strings.LastIndexByte(name, '/')+1:]
		switch {
		case base == "" || base == "." || base == ".." || strings.Contains(name, "\x00"):
			return "", fmt.Errorf("path %s, want one that ends in a file's name: %w", quoted(name), fs.ErrInvalid)
		case isTemp(base): // any sweep takes it for what a dead creator left
			return "", fmt.Errorf("path %s, want a file's name that does not begin with %s, as those of unfinished files do: %w", quoted(name), tempPrefix, fs.ErrInvalid)
		}
		path = name
	case region.ValidName(name):
		path = filepath.Join(Dir(), name)
	default:
		return "", fmt.Errorf("name %s, want 1 to %d of A-Z a-z 0-9 . _ - (not . or ..), or a path with a slash: %w", quoted(name), region.MaxName, fs.ErrInvalid)
	}
	return filepath.Abs(path)
}

// quoted is a name that may be anything, fit for an error.
func quoted(name string) string {
	if len(name) > region.MaxName {
		return fmt.Sprintf("%.40q… of %d bytes", name, len(name))
	}
	return fmt.Sprintf("%q", name)
}
