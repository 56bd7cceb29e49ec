// Package messages_test provokes the errors that users meet and compares what
// they say, word for word where nothing in it depends on the machine. Each
// names the operation, the region, the object and both values, is the sentinel
// that a caller looks for, and has changed nothing.
package messages_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
)

func TestMain(m *testing.M) {
	testproc.RunRole()
	proc.Main()
	os.Exit(m.Run())
}

// A row is an error and how to get it. In text, $DIR stands for the directory
// of the regions and # for a number that may be another elsewhere.
type row struct {
	name    string
	provoke func() error
	is      error
	text    string
}

func check(t *testing.T, rows []row) {
	t.Helper()
	number := regexp.MustCompile(`\d+`)
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.provoke()
			if err == nil {
				t.Fatalf("no error, want %s", tt.text)
			}
			var e *shm.Error
			if !errors.As(err, &e) || e != err {
				t.Errorf("%v is a %T, want a *shm.Error", err, err)
			}
			if !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
			got := strings.ReplaceAll(err.Error(), shm.Dir(), "$DIR")
			if strings.Contains(tt.text, "#") {
				want := regexp.QuoteMeta(tt.text)
				if !regexp.MustCompile("^" + strings.ReplaceAll(want, "#", number.String()) + "$").MatchString(got) {
					t.Errorf("got  %s\nwant %s", got, tt.text)
				}
			} else if got != tt.text {
				t.Errorf("got  %s\nwant %s", got, tt.text)
			}
			if strings.Contains(got, "\n") {
				t.Errorf("%q is more than a line", got)
			}
		})
	}
}

// unchanged fails the test unless region r is at its end what it was: the same
// objects, memory and directory.
func unchanged(t *testing.T, r *shm.Region) {
	t.Helper()
	look := func() string {
		s, err := r.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		fmt.Fprintln(&b, s.Directory, s.Memory.Used, s.Memory.Free)
		for _, o := range s.Objects {
			fmt.Fprintln(&b, o.Name, o.Kind, o.Type, o.Fields, o.Bytes, o.Created, o.Len, o.State, o.Value)
		}
		return b.String()
	}
	before := look()
	t.Cleanup(func() {
		if after := look(); after != before {
			t.Errorf("the region was\n%sand is\n%s", before, after)
		}
	})
}

var ctx, ctxErr = context.Background(), context.Canceled

func ended() context.Context {
	c, cancel := context.WithCancel(ctx)
	cancel()
	return c
}

// second is the error of a call that returns something besides.
func second[T any](_ T, err error) error { return err }

// feed is a region by that name, in a directory of its own.
func feed(t *testing.T, o *shm.Options) *shm.Region {
	t.Helper()
	t.Setenv("TANDEM_DIR", t.TempDir())
	r := testproc.Get(shm.Create("feed", o))(t)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}
