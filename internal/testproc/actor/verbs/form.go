package verbs

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// A form is how a number is a message. What follows the last dot of a queue's or a
// broadcast's name says which: nothing, bytes or record.
type form[T any] struct {
	to    func(int64) T
	from  func(T) int64 // -1: it is no such message
	spoil func(T)       // what the sender does with it afterwards
}

// plainForm lies as it is where messages lie.
var plainForm = form[int64]{
	to:    func(n int64) int64 { return n },
	from:  func(n int64) int64 { return n },
	spoil: func(int64) {},
}

// padding makes a message too long for a slot.
var padding = bytes.Repeat([]byte(" and so on"), 50)

var bytesForm = form[[]byte]{
	to: func(n int64) []byte { return append(strconv.AppendInt(nil, n, 10), padding...) },
	from: func(b []byte) int64 {
		digits, whole := bytes.CutSuffix(b, padding)
		n, err := strconv.ParseInt(string(digits), 10, 64)
		if !whole || err != nil {
			return -1
		}
		return n
	},
	spoil: func(b []byte) { clear(b) },
}

// A record goes by CBOR.
type record struct {
	N    int64
	Tags []string
	Next *record
}

var recordForm = form[record]{
	to: func(n int64) record {
		return record{N: n, Tags: []string{strconv.FormatInt(n, 10), string(padding)}, Next: &record{N: n}}
	},
	from: func(r record) int64 {
		tags := []string{strconv.FormatInt(r.N, 10), string(padding)}
		if !slices.Equal(r.Tags, tags) || r.Next == nil || r.Next.N != r.N || r.Next.Next != nil {
			return -1
		}
		return r.N
	},
	spoil: func(r record) { r.Tags[0], r.Next.N, r.Next.Next = "spoilt", -1, r.Next },
}

// formed is what follows the last dot of a name.
func formed(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
