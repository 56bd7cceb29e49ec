//go:build !race && !tandem_sim && !tandem_fenced

package engine

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"

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
		{"Claim", (*Queue).Claim, 0},
		{"Release: the row, its first, and one too many", (*Queue).Release, 3},
		{"ReleaseRun: the same, a slot that comes to 0, and a fence for all", (*Queue).ReleaseRun, 5},
		{"finish: a slot that comes to 0", (*Queue).finish, 1},
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

// Between the claim of a slot and its publishing nothing could fail or wait: a slice is
// copied, and of a loan what the message does not need is cut off. (No length is beyond
// what unsafe.Slice takes.)
func TestNothingFailsBetweenClaimAndPublish(t *testing.T) {
	copies := []string{"runtime.memmove", "mem.copyLong", "runtime.panicunsafeslicelen"}
	for _, tt := range []struct {
		name       string
		f          any
		from, till []string
		calls      []string
	}{
		{"PutSlot", (*Queue).PutSlot, []string{".Claim"}, []string{".Publish"}, copies},
		{"putBlocks", (*Queue).putBlocks, []string{".Claim"}, []string{".Publish"}, nil},
		{"PutLoan", (*Queue).PutLoan, []string{".Claim"}, []string{".publishLoan"}, nil},
		{"publishLoan", (*Queue).publishLoan, nil, []string{".Publish"}, append(copies, "engine.(*pool).cut", "runtime.morestack_noctxt")},
		{"cut", (*pool).cut, nil, nil, []string{"engine.(*pool).cutOne", "runtime.morestack_noctxt"}},
		{"cutOne", (*pool).cutOne, nil, nil, nil},
	} {
		code, err := machine.Code(tt.f)
		if err != nil {
			t.Fatal(tt.name, err)
		}
		if tt.till != nil {
			code = machine.Between(code, tt.from, tt.till)
		}
		if len(code) == 0 {
			t.Errorf("%s: nothing leads from %v to %v", tt.name, tt.from, tt.till)
		}
		for _, i := range code {
			if i.Op == x86asm.CALL && !slices.ContainsFunc(tt.calls, func(c string) bool { return strings.HasSuffix(i.Callee(), c) }) {
				t.Errorf("%s calls %s", tt.name, i.Callee())
			}
		}
	}
}
