//go:build !race && !tandem_sim && !tandem_fenced

package ring

import (
	"testing"

	"golang.org/x/arch/x86/x86asm"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/machine"
)

type words [4]uint64

// Between the claim of a slot and its publishing there is nothing that could fail,
// or wait, or run anything else; and nothing that is locked.
func TestNothingBetweenClaimAndPublish(t *testing.T) {
	claims, takes := []string{".TryClaim", ".Claim"}, []string{".TryTake", ".Take"}
	for _, tt := range []struct {
		name, method string
		f            any
		from, till   []string
	}{
		{"Put of a word", ".Put", (*Queue[uint64]).Put, claims, []string{".Publish"}},
		{"Put of a struct", ".Put", (*Queue[words]).Put, claims, []string{".Publish"}},
		{"TryPut of a word", ".TryPut", (*Queue[uint64]).TryPut, claims, []string{".Publish"}},
		{"TryPut of a struct", ".TryPut", (*Queue[words]).TryPut, claims, []string{".Publish"}},
		{"Put of a word, after a wait", ".putWait", (*Queue[uint64]).putWait, claims, []string{".Publish"}},
		{"Get of a word", ".Get", (*Queue[uint64]).Get, takes, []string{".Release"}},
		{"Get of a struct", ".Get", (*Queue[words]).Get, takes, []string{".Release"}},
		{"Get of a word, after a wait", ".take", (*Queue[uint64]).take, nil, []string{".Release"}},
		{"GetInto of a word", ".takeInto", (*Queue[uint64]).takeInto, nil, []string{".Release"}},
	} {
		code, err := machine.Code(tt.f)
		if err == nil {
			code, err = machine.Called(code, tt.method)
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		between := machine.Between(code, tt.from, tt.till)
		if len(between) == 0 {
			t.Errorf("%s: nothing leads from %v to %v", tt.name, tt.from, tt.till)
		}
		for _, i := range between {
			if i.Locked || i.Op == x86asm.CALL && i.Callee() != "runtime.morestack_noctxt" {
				t.Errorf("%s: %v %s", tt.name, i.Op, i.Callee())
			}
		}
	}
}

// Nothing that an SPSC's Put or Get does is locked, or could fail, as long as nobody is in
// the way.
func TestNothingLockedInSPSC(t *testing.T) {
	for _, tt := range []struct {
		name, method string
		f            any
	}{
		{"Put", ".Put", (*SPSC[uint64]).Put},
		{"Put of a struct", ".Put", (*SPSC[words]).Put},
		{"TryPut", ".TryPut", (*SPSC[words]).TryPut},
		{"Get", ".Get", (*SPSC[uint64]).Get},
		{"TryGet", ".TryGet", (*SPSC[uint64]).TryGet},
		{"PutBatch", ".PutBatch", (*SPSC[uint64]).PutBatch},
		{"GetBatch", ".GetBatch", (*SPSC[uint64]).GetBatch},
		{"the rest of a Put", ".publish", (*engine.SPSC).Publish},
		{"the rest of a Get", ".got", (*engine.SPSC).Advance},
		{"a run put", ".PutRun", (*engine.SPSC).PutRun},
		{"a run got", ".GetRun", (*engine.SPSC).GetRun},
	} {
		code, err := machine.Code(tt.f)
		if err == nil {
			if inner, e := machine.Called(code, tt.method); e == nil {
				code = inner
			}
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for _, i := range code {
			if i.Locked {
				t.Errorf("%s: %v is locked", tt.name, i.Op)
			}
			if i.Panics() && i.Callee() != "runtime.panicunsafeslicelen" && i.Callee() != "runtime.panicunsafeslicenilptr" {
				t.Errorf("%s calls %s", tt.name, i.Callee())
			}
		}
	}
}
