package machine

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/arch/x86/x86asm"
)

// An Inst is an instruction.
type Inst struct {
	PC     uintptr
	Op     x86asm.Op
	Locked bool    // it waits until all stores before it are visible
	Stores bool    // it moves something to memory other than its function's own
	Target uintptr // where it jumps to, or what it calls, if that is in the instruction
}

// Callee is the name of the function that a call or a jump leads to; "" if that is not
// known.
func (i Inst) Callee() string {
	if f := runtime.FuncForPC(i.Target); i.Target != 0 && f != nil {
		return f.Name()
	}
	return ""
}

// Panics reports a call of what the compiler has put in for an index, a slice or a
// division that cannot be.
func (i Inst) Panics() bool {
	return i.Op == x86asm.CALL && strings.HasPrefix(i.Callee(), "runtime.panic")
}

// Code is all instructions of function f, in the order of their addresses. Of an
// instance of a generic function it is what the instance calls.
func Code(f any) ([]Inst, error) {
	pc := reflect.ValueOf(f).Pointer()
	if fn := runtime.FuncForPC(pc); fn == nil || fn.Entry() != pc {
		return nil, fmt.Errorf("no function begins at %#x", pc)
	}
	return at(pc)
}

// Called is the code of the function that is called in code by a name with this end.
func Called(code []Inst, end string) ([]Inst, error) {
	for _, i := range code {
		if i.Op == x86asm.CALL && strings.HasSuffix(i.Callee(), end) {
			return at(i.Target)
		}
	}
	return nil, fmt.Errorf("nothing is called that ends in %s", end)
}

func at(entry uintptr) (code []Inst, err error) {
	for pc := entry; inFunc(pc, entry); {
		b := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(nil), pc)), 15)
		x, err := x86asm.Decode(b, 64)
		if err != nil {
			return nil, fmt.Errorf("%s+%#x: %w", runtime.FuncForPC(entry).Name(), pc-entry, err)
		}
		code = append(code, inst(pc, x))
		pc += uintptr(x.Len)
	}
	return code, nil
}

func inFunc(pc, entry uintptr) bool {
	f := runtime.FuncForPC(pc)
	return f != nil && f.Entry() == entry
}

func inst(pc uintptr, x x86asm.Inst) Inst {
	i := Inst{PC: pc, Op: x.Op}
	for _, p := range x.Prefix {
		i.Locked = i.Locked || p&0xff == x86asm.PrefixLOCK
	}
	to, first := x.Args[0].(x86asm.Mem)
	i.Stores = first && x.Op >= x86asm.MOV && x.Op <= x86asm.MOVZX && to.Base != x86asm.RSP
	_, second := x.Args[1].(x86asm.Mem)
	i.Locked = i.Locked || x.Op == x86asm.XCHG && (first || second) || x.Op == x86asm.MFENCE
	if rel, ok := x.Args[0].(x86asm.Rel); ok {
		i.Target = uintptr(int64(pc) + int64(x.Len) + int64(rel))
	}
	return i
}

// follow is which instructions may come after each.
func follow(code []Inst) [][]int {
	index := map[uintptr]int{}
	for k, i := range code {
		index[i.PC] = k
	}
	next := make([][]int, len(code))
	for k, i := range code {
		if to, ok := index[i.Target]; ok && i.Op != x86asm.CALL {
			next[k] = append(next[k], to)
		}
		if k+1 < len(code) && i.Op != x86asm.JMP && i.Op != x86asm.RET && i.Op != x86asm.UD2 {
			next[k] = append(next[k], k+1)
		}
	}
	return next
}

// Ways are all ways through the code from its beginning to a return on which nothing is
// called, and no instruction comes twice.
func Ways(code []Inst) (ways [][]Inst) {
	next, on := follow(code), make([]bool, len(code))
	var way []Inst
	var walk func(k int)
	walk = func(k int) {
		if on[k] || code[k].Op == x86asm.CALL {
			return
		}
		on[k], way = true, append(way, code[k])
		if code[k].Op == x86asm.RET {
			ways = append(ways, slices.Clone(way))
		}
		for _, to := range next[k] {
			walk(to)
		}
		on[k], way = false, way[:len(way)-1]
	}
	walk(0)
	return ways
}

// Between is what is executed from a call of a function in from to one of one in till,
// on ways on which neither is called in between; each named by the end of its name. Without
// any in from it begins where the code does. Of the code to which those ways are left, it has what leads to a call that panics.
func Between(code []Inst, from, till []string) (found []Inst) {
	next := follow(code)
	calls := func(k int, names []string) bool {
		return code[k].Op == x86asm.CALL && slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(code[k].Callee(), n) })
	}
	// reaches: from here a call in till can be reached.
	reaches := make([]bool, len(code))
	for again := true; again; {
		again = false
		for k := range code {
			if reaches[k] || calls(k, till) || calls(k, from) {
				continue
			}
			for _, to := range next[k] {
				if reaches[to] || calls(to, till) {
					reaches[k], again = true, true
				}
			}
		}
	}
	seen := make([]bool, len(code))
	var walk func(k int)
	walk = func(k int) {
		if seen[k] || calls(k, till) || calls(k, from) {
			return
		}
		seen[k] = true
		if reaches[k] {
			found = append(found, code[k])
			for _, to := range next[k] {
				walk(to)
			}
			return
		}
		for code[k].Op != x86asm.CALL && len(next[k]) == 1 { // a way out
			k = next[k][0]
		}
		if code[k].Panics() {
			found = append(found, code[k])
		}
	}
	if len(from) == 0 {
		walk(0)
	}
	for k := range code {
		if calls(k, from) {
			for _, to := range next[k] {
				walk(to)
			}
		}
	}
	return found
}
