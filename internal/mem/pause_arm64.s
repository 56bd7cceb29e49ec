#include "textflag.h"

// YIELD is a no-op on most cores; ISB stalls the pipeline for some 10 to 40 ns.
//
// func pause(n int)
TEXT ·pause(SB), NOSPLIT, $0-8
	MOVD n+0(FP), R0
loop:
	YIELD
	ISB  $15
	SUBS $1, R0
	BGT  loop
	RET
