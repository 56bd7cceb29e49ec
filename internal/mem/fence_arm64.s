//go:build !tandem_sim

#include "textflag.h"

// func FenceLoad()
TEXT ·FenceLoad(SB), NOSPLIT, $0-0
	DMB $0x9 // ISHLD
	RET

// func FenceStore()
TEXT ·FenceStore(SB), NOSPLIT, $0-0
	DMB $0xa // ISHST
	RET

// func Fence()
TEXT ·Fence(SB), NOSPLIT, $0-0
	DMB $0xb // ISH
	RET
