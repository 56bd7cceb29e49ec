package step

import (
	"golang.org/x/arch/x86/x86asm"
	"golang.org/x/sys/unix"
)

// knowsWrites says that writtenBy looks.
const knowsWrites = true

// writtenBy says where the instruction that code begins with may write to memory that
// others map. Only what is known not to is not thought to: a stack is nobody else's.
func writtenBy(code []byte) written {
	in, err := x86asm.Decode(code, 64)
	if err != nil { // vectors, for one
		return written{may: true}
	}
	switch in.Op {
	case x86asm.CMP, x86asm.TEST, x86asm.BT, x86asm.LEA, x86asm.NOP, x86asm.PAUSE,
		x86asm.JMP, x86asm.CALL, x86asm.RET, x86asm.PUSH,
		x86asm.JA, x86asm.JAE, x86asm.JB, x86asm.JBE, x86asm.JE, x86asm.JNE, x86asm.JG, x86asm.JGE, x86asm.JL, x86asm.JLE,
		x86asm.JO, x86asm.JNO, x86asm.JP, x86asm.JNP, x86asm.JS, x86asm.JNS,
		x86asm.MUL, x86asm.DIV, x86asm.IDIV, x86asm.CDQ, x86asm.CQO, x86asm.CDQE, x86asm.BSF, x86asm.BSR, x86asm.BSWAP,
		x86asm.CMOVA, x86asm.CMOVAE, x86asm.CMOVB, x86asm.CMOVBE, x86asm.CMOVE, x86asm.CMOVNE,
		x86asm.CMOVG, x86asm.CMOVGE, x86asm.CMOVL, x86asm.CMOVLE, x86asm.CMOVS, x86asm.CMOVNS:
		return written{}
	case x86asm.MOV, x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD, x86asm.POP,
		x86asm.ADD, x86asm.SUB, x86asm.ADC, x86asm.SBB, x86asm.AND, x86asm.OR, x86asm.XOR, x86asm.NOT, x86asm.NEG,
		x86asm.INC, x86asm.DEC, x86asm.SHL, x86asm.SHR, x86asm.SAR, x86asm.ROL, x86asm.ROR, x86asm.IMUL,
		x86asm.SETA, x86asm.SETAE, x86asm.SETB, x86asm.SETBE, x86asm.SETE, x86asm.SETNE, x86asm.SETG, x86asm.SETGE, x86asm.SETL, x86asm.SETLE,
		x86asm.CMPXCHG, x86asm.XADD, x86asm.MOVUPS, x86asm.MOVAPS, x86asm.MOVDQU, x86asm.MOVDQA, x86asm.MOVQ, x86asm.MOVD:
		m, memory := in.Args[0].(x86asm.Mem)
		if !memory {
			return written{}
		}
		w := written{may: true, to: address(m, in.Len)}
		if in.AddrSize != 64 || in.Op == x86asm.POP { // that counts from where the stack is then
			w.to = nil
		}
		return w
	}
	return written{may: true}
}

// address returns how to compute where m is, of an instruction so long; nil if that is
// not known.
func address(m x86asm.Mem, length int) func(r *unix.PtraceRegs) uint64 {
	var segment func(*unix.PtraceRegs) uint64
	switch m.Segment {
	case 0, x86asm.DS, x86asm.SS, x86asm.ES:
		segment = func(*unix.PtraceRegs) uint64 { return 0 }
	case x86asm.FS:
		segment = func(r *unix.PtraceRegs) uint64 { return r.Fs_base }
	default:
		return nil
	}
	base, index := general(m.Base), general(m.Index)
	if m.Base == x86asm.RIP {
		base = func(r *unix.PtraceRegs) uint64 { return r.Rip + uint64(length) }
	}
	if base == nil || index == nil {
		return nil
	}
	return func(r *unix.PtraceRegs) uint64 {
		return segment(r) + base(r) + uint64(m.Scale)*index(r) + uint64(m.Disp)
	}
}

// general reads a register of 64 bits; 0 is none, and nil is one of another kind.
func general(reg x86asm.Reg) func(r *unix.PtraceRegs) uint64 {
	switch reg {
	case 0:
		return func(*unix.PtraceRegs) uint64 { return 0 }
	case x86asm.RAX:
		return func(r *unix.PtraceRegs) uint64 { return r.Rax }
	case x86asm.RBX:
		return func(r *unix.PtraceRegs) uint64 { return r.Rbx }
	case x86asm.RCX:
		return func(r *unix.PtraceRegs) uint64 { return r.Rcx }
	case x86asm.RDX:
		return func(r *unix.PtraceRegs) uint64 { return r.Rdx }
	case x86asm.RSI:
		return func(r *unix.PtraceRegs) uint64 { return r.Rsi }
	case x86asm.RDI:
		return func(r *unix.PtraceRegs) uint64 { return r.Rdi }
	case x86asm.RBP:
		return func(r *unix.PtraceRegs) uint64 { return r.Rbp }
	case x86asm.RSP:
		return func(r *unix.PtraceRegs) uint64 { return r.Rsp }
	case x86asm.R8:
		return func(r *unix.PtraceRegs) uint64 { return r.R8 }
	case x86asm.R9:
		return func(r *unix.PtraceRegs) uint64 { return r.R9 }
	case x86asm.R10:
		return func(r *unix.PtraceRegs) uint64 { return r.R10 }
	case x86asm.R11:
		return func(r *unix.PtraceRegs) uint64 { return r.R11 }
	case x86asm.R12:
		return func(r *unix.PtraceRegs) uint64 { return r.R12 }
	case x86asm.R13:
		return func(r *unix.PtraceRegs) uint64 { return r.R13 }
	case x86asm.R14:
		return func(r *unix.PtraceRegs) uint64 { return r.R14 }
	case x86asm.R15:
		return func(r *unix.PtraceRegs) uint64 { return r.R15 }
	}
	return nil
}
