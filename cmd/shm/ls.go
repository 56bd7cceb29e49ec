package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"example.com/tandem/shm"
)

func ls() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "ls",
		Short: "list the regions",
		Long: `List the regions in $TANDEM_DIR or /dev/shm: the bytes of address space and of
memory that each takes, how many processes are attached of how many that can
be, its objects, its age, and what there is to know of it:

  ephemeral         it ends with its last process
  stale             what an ephemeral one left when its last process died; who
                    creates, opens or lists regions there takes it away, but
                    for this command, which changes nothing
  of another boot   made before the system was last started

Files that you may not read are left out, and counted.`,
		Args: wants(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			regions, err := shm.ListAll()
			if err != nil {
				return failure{err}
			}
			if asJSON {
				return printJSON(c, append([]shm.Info{}, regions...)) // of none: []
			}
			text := shm.ListText(regions)
			if n := unreadable(shm.Dir()); n > 0 {
				text += fmt.Sprintf("(%d files that you may not read were left out)\n", n)
			}
			return printText(c, text)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// unreadable is how many files in dir may be regions, and may not be read.
func unreadable(dir string) (n int) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err == nil {
			f.Close()
		} else if errors.Is(err, fs.ErrPermission) {
			n++
		}
	}
	return n
}
