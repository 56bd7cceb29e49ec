package shm

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Setenv("TANDEM_DIR", "/somewhere")
	for _, tt := range []struct {
		name string
		want string // "" for fs.ErrInvalid
	}{
		{"feed", "/somewhere/feed"},
		{"a", "/somewhere/a"},
		{"Feed.2-x_y", "/somewhere/Feed.2-x_y"},
		{".hidden", "/somewhere/.hidden"},
		{"...", "/somewhere/..."},
		{strings.Repeat("n", 200), "/somewhere/" + strings.Repeat("n", 200)},
		{"/run/feed", "/run/feed"},
		{"/run/../srv/a feed", "/srv/a feed"},
		{"", ""},
		{".", ""},
		{"..", ""},
		{strings.Repeat("n", 201), ""},
		{"a b", ""},
		{"a\x00b", ""},
		{"é", ""},
		{"a:b", ""},
		{"a~b", ""},
		{"a\\b", ""},
		{"/", ""},
		{"dir/", ""},
		{"dir/.", ""},
		{"dir/..", ""},
		{"/run/a\x00b", ""},
		{"/run/.tandem~", ""}, // unfinished files have such names, and are swept
		{"/run/.tandem~x", ""},
		{"./.tandem~x", ""},
		{"/run/.tandem~x/../.tandem~y", ""},
		{".tandem~x", ""},
		{"/run/.tandem~x/feed", "/run/.tandem~x/feed"},
		{"/run/tandem~x", "/run/tandem~x"},
		{".tandem", "/somewhere/.tandem"},
	} {
		got, err := resolve(tt.name)
		if tt.want == "" {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("resolve(%.20q) = %q, %v, want fs.ErrInvalid", tt.name, got, err)
			} else if len(err.Error()) > 400 || !strings.Contains(err.Error(), "want") {
				t.Errorf("resolve(%.20q): %v: want the rule, and not too long", tt.name, err)
			}
			continue
		}
		if err != nil || filepath.ToSlash(got) != tt.want && filepath.Separator == '/' {
			t.Errorf("resolve(%.20q) = %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	if got, err := resolve("./feed"); err != nil || !filepath.IsAbs(got) {
		t.Errorf("resolve(./feed) = %q, %v, want an absolute path", got, err)
	}
}

func TestDir(t *testing.T) {
	t.Setenv("TANDEM_DIR", "")
	if d := Dir(); d != "/dev/shm" {
		t.Errorf("Dir() = %q", d)
	}
	t.Setenv("TANDEM_DIR", "/elsewhere")
	if d := Dir(); d != "/elsewhere" {
		t.Errorf("Dir() with $TANDEM_DIR = %q", d)
	}
}
