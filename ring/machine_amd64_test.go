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
		{"Get of a struct", ".Get", (*SPSC[words]).Get},
		{"TryGet", ".TryGet", (*SPSC[uint64]).TryGet},
		{"PutBatch", ".PutBatch", (*SPSC[uint64]).PutBatch},
		{"GetBatch", ".GetBatch", (*SPSC[uint64]).GetBatch},
		{"a Put's look at head", "", (*engine.SPSC).RoomAgain},
		{"a Get's look at tail", "", (*engine.SPSC).NextAgain},
		{"the rest of a Put", "", (*engine.SPSC).PublishRest},
		{"the rest of a Get", "", (*engine.SPSC).AdvanceRest},
		{"a run put", ".PutRun", (*engine.SPSC).PutRun},
		{"a run got", ".GetRun", (*engine.SPSC).GetRun},
	} {
		code, err := machine.Code(tt.f)
		if err == nil && tt.method != "" {
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

// A Put, and a Get, that nobody is in the way of calls nothing; and writes what it is for:
// the message, the index for the others and the two that tell where it stands. (The rest
// is where the caller is, and what a context is looked at by.)
func TestNothingCalledInSPSC(t *testing.T) {
	for _, tt := range []struct {
		name, method string
		f            any
		stores       int
	}{
		{"Put", ".Put", (*SPSC[uint64]).Put, 4},
		{"Get", ".Get", (*SPSC[uint64]).Get, 3},
		{"TryPut", ".TryPut", (*SPSC[uint64]).TryPut, 4},
	} {
		code, err := machine.Code(tt.f)
		if err == nil {
			code, err = machine.Called(code, tt.method)
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		ways := machine.Ways(code)
		if len(ways) == 0 {
			t.Errorf("%s: no way leads through it without a call", tt.name)
		}
		for _, way := range ways {
			n := 0
			for _, i := range way {
				if i.Stores {
					n++
				}
			}
			if n != tt.stores {
				t.Errorf("%s stores %d words, want %d", tt.name, n, tt.stores)
			}
		}
	}
}
