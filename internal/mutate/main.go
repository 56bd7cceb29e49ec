// Command mutate measures the tests: it makes each small change of its tables
// to the code, each of which breaks a promise, runs the test that should
// notice, and says which changes lived.
//
//	go run ./internal/mutate [-area x] [-run regexp] [-j n] [-timeout d] [-list]
//
// The tree is never touched: a change reaches the compiler by go's -overlay.
// HACKING.md says how a row is read and how one is added.
//
// The exit status is 0 if every change was killed, 1 if one lived or a row is
// wrong, and 2 if the command was asked wrongly.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"
)

// An area is the table of one part of the code.
type area struct {
	name string
	rows []mutation
}

// areas are all tables. Each is in table_<area>.go; a large one is joined
// there from several files.
var areas = []area{
	{"engine", engineMutations},
	{"queue", queueMutations},
	{"spsc", spscMutations},
	{"pipe", pipeMutations},
	{"stream", streamMutations},
	{"stream_conn", streamConnMutations},
	{"stream_watch", streamWatchMutations},
	{"broadcast", broadcastMutations},
	{"sync", syncMutations},
	{"close", closeMutations},
	{"shm", shmMutations},
	{"room", roomMutations},
	{"bools", boolMutations},
	{"handles", handleMutations},
	{"life", lifeMutations},
	{"guard", guardMutations},
	{"wait", waitMutations},
	{"wait_hope", waitHopeMutations},
	{"wait_poll", waitPollMutations},
	{"any", anyMutations},
	{"sim", simMutations},
	{"harness", harnessMutations},
	{"user", userMutations},
	{"inspect", inspectMutations},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("area", "", "try the table of this `area` alone")
	match := flags.String("run", "", "try only rows whose area, file, promise or test match `regexp`")
	list := flags.Bool("list", false, "show the rows and try none")
	j := flags.Int("j", 2, "try so many rows at a time")
	limit := flags.Duration("timeout", 2*time.Minute, "how long a test may take; a test that takes longer hangs, and has noticed")
	if flags.Parse(args) != nil {
		return 2
	}
	wanted, err := regexp.Compile(*match)
	if err != nil || flags.NArg() > 0 || *j < 1 || *limit <= 0 {
		fmt.Fprintln(stderr, "mutate: -run takes a regexp, -j and -timeout more than 0, and nothing follows:", args)
		return 2
	}
	var rows []mutation
	for _, a := range areas {
		for _, m := range a.rows {
			if (*only == "" || a.name == *only) && wanted.MatchString(a.name+" "+m.file+" "+m.promise+" "+m.run) {
				rows = append(rows, m)
			}
		}
	}
	if len(rows) == 0 {
		fmt.Fprintln(stderr, "mutate: no row is of this area and matches")
		return 2
	}
	if *list {
		for _, m := range rows {
			fmt.Fprintf(stdout, "%s: %s [%s %s]\n", m.file, m.promise, m.pkg, m.run)
		}
		return 0
	}
	root, err := moduleRoot()
	if err != nil {
		fmt.Fprintln(stderr, "mutate:", err)
		return 1
	}
	t := &trial{root: root, limit: *limit, out: stdout}
	return t.run(ctx, rows, *j)
}

// moduleRoot is the directory of the go.mod that the working directory is under.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}
