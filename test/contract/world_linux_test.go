package contract_test

import (
	"testing"

	"example.com/tandem/internal/testproc/actor"
)

// A world is one run of a row: a region, and those who use it.
type world struct{ *actor.World }

// ways runs a row's body in each way, in a region of its own.
func ways(t *testing.T, body func(t *testing.T, w *world)) {
	t.Helper()
	actor.Ways(t, func(t *testing.T, w *actor.World) { body(t, &world{w}) })
}

// processes runs a row's body in the ways in which actors are processes, and
// so can be killed and stopped.
func processes(t *testing.T, body func(t *testing.T, w *world)) {
	t.Helper()
	actor.Processes(t, func(t *testing.T, w *actor.World) { body(t, &world{w}) })
}
