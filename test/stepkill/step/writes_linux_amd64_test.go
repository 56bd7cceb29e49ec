package step

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestMayWrite(t *testing.T) {
	for text, c := range map[string]struct {
		code   []byte
		writes bool
	}{
		"MOVQ AX, (CX)":             {[]byte{0x48, 0x89, 0x01}, true},
		"MOVQ (CX), AX":             {[]byte{0x48, 0x8b, 0x01}, false},
		"MOVL $1, (CX)":             {[]byte{0xc7, 0x01, 1, 0, 0, 0}, true},
		"MOVB AL, 8(CX)":            {[]byte{0x88, 0x41, 8}, true},
		"MOVBLZX (CX), AX":          {[]byte{0x0f, 0xb6, 0x01}, false},
		"XCHGQ AX, (CX)":            {[]byte{0x48, 0x87, 0x01}, true},
		"LOCK CMPXCHGQ DX, (CX)":    {[]byte{0xf0, 0x48, 0x0f, 0xb1, 0x11}, true},
		"LOCK XADDQ AX, (CX)":       {[]byte{0xf0, 0x48, 0x0f, 0xc1, 0x01}, true},
		"LOCK ORL AX, (CX)":         {[]byte{0xf0, 0x09, 0x01}, true},
		"ORL (CX), AX":              {[]byte{0x0b, 0x01}, false},
		"INCL (CX)":                 {[]byte{0xff, 0x01}, true},
		"SETEQ (CX)":                {[]byte{0x0f, 0x94, 0x01}, true},
		"SETEQ AX":                  {[]byte{0x0f, 0x94, 0xc0}, false},
		"DIVQ SI":                   {[]byte{0x48, 0xf7, 0xf6}, false},
		"CMOVQEQ (CX), AX":          {[]byte{0x48, 0x0f, 0x44, 0x01}, false},
		"BTSL AX, (CX)":             {[]byte{0x0f, 0xab, 0x01}, true},
		"CMPQ AX, (CX)":             {[]byte{0x48, 0x39, 0x01}, false},
		"TESTB AL, (CX)":            {[]byte{0x84, 0x01}, false},
		"PAUSE":                     {[]byte{0xf3, 0x90}, false},
		"JE":                        {[]byte{0x74, 0x10}, false},
		"LEAQ (CX), AX":             {[]byte{0x48, 0x8d, 0x01}, false},
		"CALL (CX)":                 {[]byte{0xff, 0x11}, false},
		"POPQ (CX)":                 {[]byte{0x8f, 0x01}, true},
		"REP MOVSQ":                 {[]byte{0xf3, 0x48, 0xa5}, true},
		"REP STOSQ":                 {[]byte{0xf3, 0x48, 0xab}, true},
		"MOVUPS X0, (CX)":           {[]byte{0x0f, 0x11, 0x01}, true},
		"VMOVDQU Y0, (CX)":          {[]byte{0xc5, 0xfe, 0x7f, 0x01}, true},
		"SYSCALL":                   {[]byte{0x0f, 0x05}, true},
		"an instruction cut short":  {[]byte{0x48}, true},
		"nothing that can be known": {nil, true},
	} {
		if got := writtenBy(c.code).may; got != c.writes {
			t.Errorf("%s: may write: %v", text, got)
		}
	}
}

func TestWrittenTo(t *testing.T) {
	r := unix.PtraceRegs{Rip: 1 << 20, Rcx: 1 << 30, Rdx: 3, R8: 1 << 40, R15: 5, Rsp: 1 << 50, Fs_base: 1 << 60}
	for text, c := range map[string]struct {
		code []byte
		to   uint64 // 0: not known
	}{
		"MOVQ AX, (CX)":          {[]byte{0x48, 0x89, 0x01}, 1 << 30},
		"MOVB AL, 8(CX)":         {[]byte{0x88, 0x41, 8}, 1<<30 + 8},
		"MOVB AL, -8(CX)":        {[]byte{0x88, 0x41, 0xf8}, 1<<30 - 8},
		"INCQ (R8)(DX*8)":        {[]byte{0x49, 0xff, 0x04, 0xd0}, 1<<40 + 24},
		"MOVQ AX, 8(SP)":         {[]byte{0x48, 0x89, 0x44, 0x24, 8}, 1<<50 + 8},
		"MOVL $0, 16(IP)":        {[]byte{0xc7, 0x05, 16, 0, 0, 0, 0, 0, 0, 0}, 1<<20 + 10 + 16},
		"MOVQ AX, FS:0xfffffff8": {[]byte{0x64, 0x48, 0x89, 0x04, 0x25, 0xf8, 0xff, 0xff, 0xff}, 1<<60 - 8},
		"LOCK CMPXCHGQ DX, (CX)": {[]byte{0xf0, 0x48, 0x0f, 0xb1, 0x11}, 1 << 30},
		"LOCK XADDQ AX, (CX)":    {[]byte{0xf0, 0x48, 0x0f, 0xc1, 0x01}, 1 << 30},
		"MOVL AX, (ECX)":         {[]byte{0x67, 0x89, 0x01}, 0},
		"POPQ (SP)":              {[]byte{0x8f, 0x04, 0x24}, 0},
		"XCHGQ AX, (CX)":         {[]byte{0x48, 0x87, 0x01}, 0},
		"REP MOVSQ":              {[]byte{0xf3, 0x48, 0xa5}, 0},
		"VMOVDQU Y0, (CX)":       {[]byte{0xc5, 0xfe, 0x7f, 0x01}, 0},
	} {
		w := writtenBy(c.code)
		switch {
		case !w.may:
			t.Errorf("%s writes nowhere", text)
		case w.to == nil && c.to != 0 || w.to != nil && w.to(&r) != c.to:
			t.Errorf("%s: not to %#x", text, c.to)
		}
	}
}

// What is mapped for others, too, is reached; so is it once it is mapped, and what
// lies across its beginning.
func TestMayReach(t *testing.T) {
	own := uint64(uintptr(unsafe.Pointer(new([1 << 16]byte))))
	at := own
	w := written{may: true, to: func(*unix.PtraceRegs) uint64 { return at }}
	s := shared{pid: os.Getpid()}
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	if s.mayReach(w, nil) {
		t.Error("memory of one's own is others', too")
	}
	m, err := unix.MmapPtr(-1, 0, nil, 3*4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.MunmapPtr(m, 3*4096)
	if _, err := unix.MmapPtr(-1, 0, unsafe.Add(m, 4096), 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_FIXED|unix.MAP_SHARED|unix.MAP_ANONYMOUS); err != nil {
		t.Fatal(err)
	}
	s.stale()
	from := uint64(uintptr(m)) + 4096
	for offset, want := range map[uint64]bool{0: true, 4095: true, 4096: false, ^uint64(7): true, ^uint64(0xfff): false} {
		if at = from + offset; s.mayReach(w, nil) != want {
			t.Errorf("at %#x of what others map: %v", offset, !want)
		}
	}
	if !s.mayReach(written{may: true}, nil) || s.mayReach(written{}, nil) {
		t.Error("where an instruction writes is not known, and it reaches nothing; or it writes nothing and reaches something")
	}
}
