package verbs

import (
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/sync"
)

// Once is the actor's Once of a name.
func Once(e *actor.Env, name string) *sync.Once {
	return actor.Handle(e, name, func() (*sync.Once, error) { return sync.OpenOnce(e.Region, name) })
}
