package proc_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/proc"
)

// Pair's parts can be shared.
type Pair struct{ Left, Right *Pair }

var (
	takesNode = proc.Register("takes node", func(_ context.Context, n *Node) error {
		count := 0
		for ; n != nil; n = n.Next {
			count++
		}
		if count != deepNode {
			return fmt.Errorf("%d nodes", count)
		}
		return nil
	})
	takesPair = proc.Register("takes pair", func(context.Context, Pair) error { return nil })
)

const deepNode = 60_000

func nodes(n int) *Node {
	var l *Node
	for range n {
		l = &Node{"a", l}
	}
	return l
}

// An argument that has no end is an error at the call, and so is one whose parts
// are shared so often that writing it out would take for ever.
func TestArgumentEndless(t *testing.T) {
	onlyLinux(t)
	loop := nodes(2)
	loop.Next.Next = loop
	list := make([]any, 1)
	list[0] = list
	pair := Pair{}
	for range 100 {
		p := pair
		pair = Pair{&p, &p}
	}
	for name, start := range map[string]func() (*proc.Process, error){
		"a loop":     func() (*proc.Process, error) { return startNow(takesNode, loop) },
		"any":        func() (*proc.Process, error) { return startNow(takesAny, any(list)) },
		"shared":     func() (*proc.Process, error) { return startNow(takesPair, pair) },
		"shared any": func() (*proc.Process, error) { return startNow(takesAny, any(&pair)) },
	} {
		if p, err := start(); p != nil || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: Start = %v, %v", name, p, err)
		}
	}
}

// An argument that is too deep to arrive is an error at the call, and one that
// is not, arrives.
func TestArgumentDeep(t *testing.T) {
	onlyLinux(t)
	if mem.RaceEnabled {
		t.Skip("nothing here is shared, and deep stacks take the race detector a minute")
	}
	if p, err := startNow(takesNode, nodes(70_000)); p != nil || !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Start = %v, %v", p, err)
	}
	wantCode(t, start(t, takesNode, nodes(deepNode), nil), 0)
}
