package main

import (
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
  stale             what an ephemeral one left when its last process died; the
                    next to create or open a region there takes it away
  of another boot   made before the system was last started`,
		Args: wants(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			regions, err := shm.ListAll()
			if err != nil {
				return failure{err}
			}
			if asJSON {
				return printJSON(c, append([]shm.Info{}, regions...)) // of none: []
			}
			return printText(c, shm.ListText(regions))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
