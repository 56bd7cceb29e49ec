//go:build !race && !tandem_sim && !tandem_fenced

package engine

import (
	"testing"

	"example.com/tandem/internal/machine"
)

// How many locked instructions a function's own code has; what it calls to walk,
// to ring or to fence is apart.
func TestMachineCode(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    any
		want int
	}{
		{"TryClaim: the claim", (*Queue).TryClaim, 1},
		{"takeHere: the claim", (*Queue).takeHere, 1},
		{"Publish", (*Queue).Publish, 0},
		{"PutRun: the claim of each, and a fence for all", (*Queue).PutRun, 2},
		{"TakeRun: the claim of each", (*Queue).TakeRun, 1},
		{"wide S1, or the seat's", (*Wide).sit, 2},
		{"wide S5", (*seat).install, 1},
		{"set", (*hint).set, 0},
		{"storeFenced", storeFenced, 1},
		{"Bell.Ring", (*Bell).Ring, 0},
	} {
		code, err := machine.Code(tt.f)
		if err != nil {
			t.Fatal(tt.name, err)
		}
		locked := 0
		for _, i := range code {
			if i.Locked {
				locked++
			}
			if i.Panics() {
				t.Errorf("%s calls %s", tt.name, i.Callee())
			}
		}
		if locked != tt.want {
			t.Errorf("%s has %d locked instructions, want %d", tt.name, locked, tt.want)
		}
	}
}
