package proc_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"example.com/tandem/proc"
)

func nothing(context.Context, struct{}) error { return nil }

// Before Main, as the registrations at package level.
var (
	twoOfAName = panicOf(func() { _ = ends; proc.Register("ends", nothing) }) // ends is first
	noName     = panicOf(func() { proc.Register("", nothing) })
	noFunction = panicOf(func() { proc.Register[int]("no function", nil) })
)

func panicOf(f func()) (s string) {
	defer func() { s = fmt.Sprint(recover()) }()
	f()
	return ""
}

func TestRegister(t *testing.T) {
	afterMain := panicOf(func() { proc.Register("after Main", nothing) })
	for _, tt := range []struct{ got, want string }{
		{twoOfAName, `proc: Register("ends") at `},
		{twoOfAName, `register_test.go:`},
		{twoOfAName, `: the name is taken by the function registered at `},
		{twoOfAName, `functions_test.go:`},
		{noName, "empty name"},
		{noFunction, "nil function"},
		{afterMain, "after Main"},
	} {
		if !strings.Contains(tt.got, tt.want) {
			t.Errorf("Register panicked with %q, want %q", tt.got, tt.want)
		}
	}
}

func TestStartOfNothing(t *testing.T) {
	if p, err := (proc.Func[int]{}).Start(context.Background(), 1, nil); err == nil {
		t.Errorf("Start of the zero Func = %v", p)
	}
}

func TestUnsupported(t *testing.T) {
	_, err := ends.Start(context.Background(), how{}, nil)
	if runtime.GOOS == "linux" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Start = %v", err)
	}
}
