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
spins before it sleeps is not yet shown to wait. Of a lock that was free when it
was taken, "since" is when the first who waited found it held: it may have been
held for longer. A name is #INDEX.EPOCH, as in the list of participants.

  abandoned            a holder died; Recover, and MarkConsistent, make it good
  readers passed over  a writer or a reader has waited long, and is let first
  died, unnoticed      a process of which nobody has yet seen that it is dead
  dead, not recovered  what it held is not given back yet
  N got without TaskDone by
                       messages that Get took: only Join asks for TaskDone
  lease, loan          a message that wants Ack; memory that wants Put or Drop
  writing, reading     a message that is being put, or taken out
  perhaps waited for   calls sleep of which is not known for what
  2 for 3.3 s          two calls wait, the first of them for so long
  recoveries N (M late)
                       of dead processes by this one; wake-ups it made good
  unfenced             queues publish without fences (membarrier)
  ended                ephemeral, and its last process has left

docs/reference.md has all words. The exit status is 1 if damage is shown.`,
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
					err = printJSON(c, s)
				} else {
					err = printText(c, s.String())
				}
				if err == nil && len(s.Damage) > 0 {
					err = errFound
				}
				return err
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
