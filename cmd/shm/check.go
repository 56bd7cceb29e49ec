package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/tandem/internal/visible"
	"example.com/tandem/shm"
)

func check() *cobra.Command {
	return &cobra.Command{
		Use:   "check REGION",
		Short: "verify every structure of a region",
		Long: `Verify every structure of a region, and print what is wrong with it, a line
each. The exit status is 1 if anything is, or if the directory could not be
checked since a process is in the middle of changing it.`,
		Args: wants(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := open(args[0])
			if err != nil {
				return explain(args[0], err)
			}
			defer r.Close()
			if err := r.Check(); err != nil {
				for _, e := range findings(err) {
					fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", visible.Text(r.Name()), visible.Text(strings.ReplaceAll(e.Error(), "\n", "; ")))
				}
				return errFound
			}
			return printText(c, unchecked(r)+fmt.Sprintf("%s: nothing is wrong\n", r.Name()))
		},
	}
}

// unchecked names the objects of kinds that this build does not know, which it cannot judge.
func unchecked(r *shm.Region) string {
	s, err := r.Snapshot()
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, o := range slices.Concat(s.Objects, s.Removed) {
		if strings.HasSuffix(o.State, "is unknown here") {
			fmt.Fprintf(&b, "%s: object %s: %s, and was not checked\n", r.Name(), o.Name, o.State)
		}
	}
	return b.String()
}

// findings are the errors that a Check joined.
func findings(err error) []error {
	if e := (*shm.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	return []error{err}
}
