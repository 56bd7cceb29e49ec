package step

import "testing"

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
		if got := mayWrite(c.code); got != c.writes {
			t.Errorf("%s: may write: %v", text, got)
		}
	}
}
