package step

import "golang.org/x/arch/x86/x86asm"

// knowsWrites says that mayWrite looks.
const knowsWrites = true

// mayWrite reports whether the instruction that code begins with may write to
// memory that others map. Only what is known not to is not thought to: a stack is
// nobody else's.
func mayWrite(code []byte) bool {
	in, err := x86asm.Decode(code, 64)
	if err != nil { // vectors, for one
		return true
	}
	switch in.Op {
	case x86asm.CMP, x86asm.TEST, x86asm.BT, x86asm.LEA, x86asm.NOP, x86asm.PAUSE,
		x86asm.JMP, x86asm.CALL, x86asm.RET, x86asm.PUSH,
		x86asm.JA, x86asm.JAE, x86asm.JB, x86asm.JBE, x86asm.JE, x86asm.JNE, x86asm.JG, x86asm.JGE, x86asm.JL, x86asm.JLE,
		x86asm.JO, x86asm.JNO, x86asm.JP, x86asm.JNP, x86asm.JS, x86asm.JNS:
		return false
	case x86asm.MOV, x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD, x86asm.POP,
		x86asm.ADD, x86asm.SUB, x86asm.ADC, x86asm.SBB, x86asm.AND, x86asm.OR, x86asm.XOR, x86asm.NOT, x86asm.NEG,
		x86asm.INC, x86asm.DEC, x86asm.SHL, x86asm.SHR, x86asm.SAR, x86asm.IMUL:
		_, memory := in.Args[0].(x86asm.Mem)
		return memory
	}
	return true
}
