package plain

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// showMost is how long a value is shown.
const showMost = 240

// Show is a value as a tool prints it, by its type's description: a number, numbers in
// brackets, or for each field its path and that. "" if the text describes nothing that raw
// has. Either may hold anything.
//
//	{ID: 7, Box.Min: [0 0.5 -1], Done: true}
func Show(text string, raw []byte) string {
	s := shower{raw: raw}
	fs, _ := fields(text)
	for i, f := range fs {
		if s.full() {
			break
		}
		if f.path == "." && len(fs) == 1 {
			s.field(f.what)
			return s.String()
		}
		if i == 0 {
			s.WriteByte('{')
		} else {
			s.WriteString(", ")
		}
		s.WriteString(f.path + ": ")
		s.field(f.what)
	}
	if s.Len() > 0 && !s.full() {
		s.WriteByte('}')
	}
	return s.String()
}

type shower struct {
	strings.Builder
	raw []byte
	cut bool
}

// full reports whether no more is shown, and ends what is.
func (s *shower) full() bool {
	if !s.cut && s.Len() > showMost {
		s.cut = true
		s.WriteString(" …")
	}
	return s.cut
}

// A dim is an array's length, and the bytes from one element to the next.
type dim struct{ n, stride uint64 }

// field shows what is described as "[2][3]int8 @5 stride 12".
func (s *shower) field(what string) {
	words := strings.Fields(what)
	if len(words) < 2 {
		s.WriteByte('?')
		return
	}
	kind := words[0]
	var dims []dim
	for strings.HasPrefix(kind, "[") {
		length, rest, ok := strings.Cut(kind[1:], "]")
		n, err := strconv.ParseUint(length, 10, 40)
		if !ok || err != nil {
			break
		}
		dims, kind = append(dims, dim{n: n}), rest
	}
	size, ok := sizes[kind]
	off, err := strconv.ParseUint(strings.TrimPrefix(words[1], "@"), 10, 62)
	if !ok || err != nil {
		s.WriteByte('?')
		return
	}
	strides := 0
	if len(words) == 4 {
		for i, w := range strings.Split(words[3], ",") {
			if n, err := strconv.ParseUint(w, 10, 40); err == nil && i < len(dims) {
				dims[i].stride = n
				strides++
			}
		}
	}
	close := size // the inner arrays lie close
	for i := len(dims) - 1; i >= strides; i-- {
		dims[i].stride = close
		close = min(close*dims[i].n, 1<<62)
	}
	s.value(kind, size, off, dims)
}

func (s *shower) value(kind string, size, off uint64, dims []dim) {
	if len(dims) == 0 {
		if off > uint64(len(s.raw)) || size > uint64(len(s.raw))-off {
			s.WriteByte('?')
			return
		}
		s.WriteString(number(kind, s.raw[off:off+size]))
		return
	}
	s.WriteByte('[')
	for i := range dims[0].n {
		if s.full() {
			return
		}
		if i > 0 {
			s.WriteByte(' ')
		}
		s.value(kind, size, min(off+i*dims[0].stride, 1<<62), dims[1:])
	}
	s.WriteByte(']')
}

var sizes = map[string]uint64{
	"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
	"float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
}

// number is the one of this kind in b, which is as long.
func number(kind string, b []byte) string {
	if strings.HasPrefix(kind, "complex") {
		half := "float" + strconv.Itoa(4*len(b))
		re, im := number(half, b[:len(b)/2]), number(half, b[len(b)/2:])
		if im[0] != '-' && im[0] != '+' {
			im = "+" + im
		}
		return "(" + re + im + "i)"
	}
	var word [8]byte
	copy(word[:], b)
	v := binary.LittleEndian.Uint64(word[:])
	switch kind {
	case "bool":
		return strconv.FormatBool(v&1 == 1)
	case "float32":
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(v))), 'g', -1, 32)
	case "float64":
		return strconv.FormatFloat(math.Float64frombits(v), 'g', -1, 64)
	}
	if kind[0] == 'i' {
		shift := 64 - 8*len(b)
		return strconv.FormatInt(int64(v)<<shift>>shift, 10)
	}
	return strconv.FormatUint(v, 10)
}
