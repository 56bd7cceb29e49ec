package proc_test

import (
	"context"
	"fmt"
	"log"

	"example.com/tandem/proc"
)

type greeting struct {
	Whom  string
	Times int
}

// At package level; main begins with proc.Main().
var greet = proc.Register("greet", func(ctx context.Context, g greeting) error {
	for range g.Times {
		fmt.Println("hello,", g.Whom)
	}
	return nil
})

func ExampleFunc_Start() {
	ctx := context.Background()
	p, err := greet.Start(ctx, greeting{"world", 2}, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.ExitCode())
	// Output:
	// hello, world
	// hello, world
	// 0 true
}
