package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func inspect() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "inspect REGION [OBJECT]",
		Short: "show a region, or one of its objects",
		Long: `Show what is in a region: who is attached, who died, and every object with its
state, who holds it since when, who waits for it, how full it is and what is on
lease, and the values. With OBJECT all there is to know of one object.

Each number was true at an instant, but not all at the same one. A process that
spins before it sleeps is not yet shown to wait.`,
		Args: wants(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := open(args[0])
			if err != nil {
				return explain(args[0], err)
			}
			defer r.Close()
			s, err := r.Snapshot()
			if err != nil {
				return failure{err}
			}
			if len(args) == 1 {
				if asJSON {
					return printJSON(c, s)
				}
				return printText(c, s.String())
			}
			o := s.Object(args[1])
			if o == nil {
				return failure{fmt.Errorf("no object %q in region %s: shm inspect %s shows what is there", args[1], r.Name(), r.Name())}
			}
			if asJSON {
				return printJSON(c, o)
			}
			return printText(c, s.ObjectText(o))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
