package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/tandem/internal/visible"
	"example.com/tandem/shm"
)

const (
	statusDone  = 0
	statusWrong = 1 // something is wrong, with what was looked at or with looking at it
	statusUsage = 2
)

const about = `shm looks into regions of shared memory.

REGION is the name of a region, or with a slash in it the path of its file.
Regions with a name are in $TANDEM_DIR, or else in /dev/shm.

Regions are mapped read-only. No lock is taken and no byte is changed, so this
is safe in production, and works while every lock is held by a stopped process.

An anonymous region has no name. Ask by a descriptor of a process that has it:
ls -l /proc/PID/fd shows which is /memfd:…, and shm inspect /proc/PID/fd/N looks.

The exit status is 0 if all went well, 1 if something is wrong (there is no
such region, or inspect or check found damage), and 2 for wrong usage.`

// A failure is an error that is not one of usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// errFound says that what was wrong has been printed.
var errFound = failure{errors.New("something is wrong")}

// run is the whole command.
func run(args []string, out, errOut io.Writer) (status int) {
	root := &cobra.Command{
		Use:               "shm",
		Short:             "look into regions of shared memory",
		Long:              about,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(c *cobra.Command, _ []string) error {
			c.SetOut(errOut)
			c.Help()
			return errors.New("which verb?")
		},
	}
	root.AddCommand(ls(), inspect(), check())
	root.SetHelpCommand(help(root))
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	c, err := root.ExecuteC()
	if err == nil {
		return statusDone
	}
	var failed failure
	if !errors.As(err, &failed) {
		fmt.Fprintf(errOut, "shm: %v\n%s --help says more\n", err, c.CommandPath())
		return statusUsage
	}
	if failed != errFound {
		fmt.Fprintf(errOut, "shm: %v\n", err)
	}
	return statusWrong
}

// help is cobra's, but for a verb that is not there, which is wrong usage.
func help(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB]",
		Short: "say more of a verb",
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err == nil && len(rest) > 0 {
				err = fmt.Errorf("no verb %q", strings.Join(rest, " "))
			}
			if err != nil {
				return err
			}
			return c.Help()
		},
	}
}

// wants is a verb's rule for its arguments.
func wants(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fmt.Errorf("%d arguments, want %s", len(args), c.UseLine())
		}
		return nil
	}
}

// explain is an error about the region called name, with what to do.
func explain(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrInvalid): // no region can be called that
		return err
	case errors.Is(err, fs.ErrNotExist) && stale(name):
		return failure{fmt.Errorf("region %s was ephemeral, and its last process has died: who creates, opens or lists regions there takes it away, but for shm ls", name)}
	case errors.Is(err, fs.ErrNotExist) && strings.Contains(name, "/"):
		return failure{fmt.Errorf("no region at %q", name)}
	case errors.Is(err, fs.ErrNotExist):
		return failure{fmt.Errorf("no region %s in %s: shm ls shows what is there", name, shm.Dir())}
	case errors.Is(err, shm.ErrNotRegion) && !strings.Contains(name, "/"):
		return failure{fmt.Errorf("%w: shm ls shows what is in %s", err, shm.Dir())}
	case errors.Is(err, fs.ErrPermission):
		return failure{fmt.Errorf("%w: its owner may look, or root, or whom its mode lets read it", err)}
	}
	return failure{err}
}

func stale(name string) bool {
	regions, err := shm.ListAll()
	return err == nil && slices.ContainsFunc(regions, func(r shm.Info) bool { return (r.Name == name || r.Path == name) && r.Stale })
}

// printJSON prints v. What would move the cursor or turn round what is read is
// there as an escape.
func printJSON(c *cobra.Command, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", visible.JSON(b))
	}
	if err != nil {
		return failure{err}
	}
	return nil
}

func printText(c *cobra.Command, text string) error {
	if _, err := io.WriteString(c.OutOrStdout(), text); err != nil {
		return failure{err}
	}
	return nil
}
