package object

import (
	"context"
	"testing"
)

// A withErr is a context of a user's own, that has Background in it.
type withErr struct {
	context.Context
	err error
}

func (c withErr) Err() error { return c.err }

// Background is known without being asked, and nothing that can end is taken for it.
func TestEndless(t *testing.T) {
	if !Endless(context.Background()) {
		t.Error("Background is not known: every call asks it")
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, ctx := range map[string]context.Context{
		"one that has ended": ended, "a value of it": context.WithValue(ended, withErr{}, 1),
		"a user's": withErr{context.Background(), context.Canceled}, "a pointer to a user's": &withErr{context.Background(), context.Canceled},
	} {
		if Endless(ctx) {
			t.Errorf("%s is taken for Background", name)
		}
	}
}
