// Package visible is for text that another process wrote and a person reads: it
// neither moves the cursor, nor changes the order in which what stands beside it
// is read.
package visible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Text is s with a ? in place of each rune that would, or that is none.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		if moves(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
}

// JSON is the same text of JSON with such runes as escapes: a program that
// decodes it gets what was encoded. Newlines stay; within strings there are
// none.
func JSON(b []byte) []byte {
	var out []byte
	for _, r := range string(b) {
		switch {
		case r == '\n' || !moves(r):
			out = append(out, string(r)...)
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		}
	}
	return out
}

func moves(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}
