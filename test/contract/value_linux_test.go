package contract_test

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/testproc/actor"
)

// wides are two values of each T that is no machine word.
var wides = map[string][2]string{
	"point": {`{"ID":1,"XYZ":[0.5,-2,3],"On":true}`, `{"ID":-9,"XYZ":[0,0,1e+300],"On":false}`},
	"code":  {"[1,2,3,4,5]", "[255,0,255,0,255]"},
}

// some are those, and a word.
var some = map[string][2]string{"int64": {"5", "-5"}, "point": wides["point"], "code": wides["code"]}

func TestValue(t *testing.T) {
	t.Parallel()
	t.Run("V1 of every type the first value counts, and all see what one stores", func(t *testing.T) {
		numbers := map[string][2]string{
			"int8": {"-128", "127"}, "uint8": {"0", "255"}, "int16": {"-32768", "32767"}, "uint16": {"0", "65535"},
			"int32": {"-2147483648", "2147483647"}, "uint32": {"1", "4294967295"},
			"int64": {"-9223372036854775808", "9223372036854775807"}, "uint64": {"1", "18446744073709551615"},
			"float32": {"0.5", "-1.25"}, "float64": {"0.1", "-1e+300"}, "point": wides["point"], "code": wides["code"],
		}
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for typ, x := range numbers {
				a.Expect("ok", "cells.value", typ, typ, x[0])
				b.Expect("ok", "cells.value", typ, typ, x[1]) // of no meaning: it is there
				b.Expect(x[0], "cells.load", typ, "0")
				b.Expect("ok", "cells.store", typ, "0", x[1])
				a.Expect(x[1], "cells.load", typ, "0")
				a.Expect("false", "cells.cas", typ, "0", x[0], x[1])
				a.Expect("true", "cells.cas", typ, "0", x[1], x[0])
				b.Expect(x[0], "cells.swap", typ, "0", x[1])
				a.Expect(x[1], "cells.load", typ, "0")
			}
		})
	})
	t.Run("V3 no Update is lost, without a lock", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			const n, each = 3, 3000
			as := w.Actors(n)
			total := n * each
			for typ, want := range map[string]string{"int64": fmt.Sprint(total), "uint8": fmt.Sprint(total % 256),
				"point": fmt.Sprintf(`{"ID":%d,"XYZ":[%d,%d,%d],"On":false}`, total, total, total, total),
				"code":  fmt.Sprintf("[%d,%d,%d,%d,%d]", total%256, total%256, total%256, total%256, total%256)} {
				zero := map[string]string{"point": "{}", "code": "[]"}[typ]
				if zero == "" {
					zero = "0"
				}
				for _, a := range as {
					a.Expect("ok", "cells.value", typ, typ, zero)
				}
				for _, a := range as {
					defer a.Begin("cells.add", typ, "0", fmt.Sprint(each)).Expect("ok")
				}
				w.Until(typ+" is "+want, func() bool { return as[0].Do("cells.load", typ, "0") == want })
			}
		})
	})
	t.Run("V5 an Update of one field leaves the others, and what was loaded is a copy", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "cells.value", "p", "point's ID", "{}")
			b.Expect("ok", "cells.value", "p", "point's XYZ", "{}")
			a.Expect("ok", "cells.keep", "p")
			for _, x := range []*actor.Actor{a, b} {
				defer x.Begin("cells.add", "p", "0", "3000").Expect("ok")
			}
			const want = `{"ID":3000,"XYZ":[0,3000,0],"On":false}`
			w.Until("p is "+want, func() bool { return a.Do("cells.load", "p", "0") == want })
			a.Expect(`{"ID":0,"XYZ":[0,0,0],"On":false}`, "cells.kept", "p")
		})
	})
	t.Run("V6 the lock is apart from what Load and Store use, and its holder's death is told", func(t *testing.T) {
		for typ, x := range some {
			t.Run(typ, func(t *testing.T) {
				processes(t, func(t *testing.T, w *world) {
					holder, a := w.Actor(), w.Actor()
					holder.Expect("ok", "cells.value", "v", typ, x[0])
					a.Expect("ok", "cells.value", "v", typ, x[0])
					holder.Expect("ok", "cells.lock", "v")
					a.Expect("deadline", "cells.lock", "v", "20ms")
					a.Expect("not owner", "cells.unlock", "v")
					a.Expect(x[0], "cells.swap", "v", "0", x[1])
					c := a.Begin("cells.lock", "v")
					c.Blocked()
					holder.Expect(x[1], "cells.load", "v", "0")
					holder.Kill()
					c.Expect("owner died")
					a.Expect(x[1], "cells.load", "v", "0")
					a.Expect("ok", "cells.store", "v", "0", x[0])
					a.Expect("true", "cells.recover", "v")
					a.Expect("ok", "cells.lock", "v")
					a.Expect("ok", "cells.unlock", "v")
				})
			})
		}
	})
	t.Run("V7 whoever is stopped or killed while it stores holds up nobody", func(t *testing.T) {
		for typ, x := range some {
			t.Run(typ, func(t *testing.T) {
				processes(t, func(t *testing.T, w *world) {
					as, a := w.Actors(3), w.Actor()
					a.Expect("ok", "cells.value", "v", typ, x[0])
					for _, b := range as {
						b.Expect("ok", "cells.value", "v", typ, x[0])
						b.Begin("cells.add", "v", "0", "1000000000")
					}
					w.Until("it changes", func() bool { return a.Do("cells.load", "v", "0") != x[0] })
					as[0].Stop()
					as[1].Kill()
					as[2].Stop()
					for i := range 20 {
						a.Expect("ok", "cells.store", "v", "0", x[i%2])
						a.Expect(x[i%2], "cells.load", "v", "0")
						a.Expect("true", "cells.cas", "v", "0", x[i%2], x[0])
						a.Expect(x[0], "cells.swap", "v", "0", x[1])
					}
					as[0].Kill()
					as[2].Kill()
				})
			})
		}
	})
	t.Run("V8 a handle travels", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for typ, x := range wides {
				a.Expect("ok", "cells.value", typ, typ, x[0])
				b.Expect("ok", "cells.unmarshal", "my "+typ, typ, a.Do("cells.marshal", typ))
				b.Expect(x[0], "cells.swap", "my "+typ, "0", x[1])
				a.Expect(x[1], "cells.load", typ, "0")
			}
		})
	})
}

func TestArray(t *testing.T) {
	t.Parallel()
	zeroes := map[string]string{"int16": "0", "point": `{"ID":0,"XYZ":[0,0,0],"On":false}`, "code": "[0,0,0,0,0]"}
	ones := map[string]string{"int16": "-1", "point": wides["point"][0], "code": wides["code"][0]}
	t.Run("A1 V4 new cells are zero, where others were before", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			for typ, zero := range zeroes {
				for round := range 3 {
					a := w.Actor()
					name := fmt.Sprint(typ, round)
					a.Expect("ok", "cells.array", name, typ, "7")
					for i := range 7 {
						a.Expect(zero, "cells.load", name, fmt.Sprint(i))
						a.Expect("ok", "cells.store", name, fmt.Sprint(i), ones[typ])
					}
					a.Expect("ok", "cells.remove", name)
				}
			}
		})
	})
	t.Run("A2 its length stays, and an index out of it panics, as a slice's", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for typ, zero := range zeroes {
				a.Expect("ok", "cells.array", typ, typ, "3")
				b.Expect("ok", "cells.array", typ, typ, "0") // what is there
				b.Expect("3", "cells.len", typ)
				for _, i := range []string{"3", "-1", "1000000000"} {
					b.Expect("panic", "cells.load", typ, i)
					b.Expect("panic", "cells.store", typ, i, ones[typ])
					b.Expect("panic", "cells.swap", typ, i, ones[typ])
					b.Expect("panic", "cells.cas", typ, i, zero, ones[typ])
					b.Expect("panic", "cells.add", typ, i, "1")
				}
				for i := range 3 {
					a.Expect(zero, "cells.load", typ, fmt.Sprint(i))
				}
			}
		})
	})
	t.Run("A3 one fills it, and another sees that", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for typ, zero := range zeroes {
				a.Expect("ok", "cells.array", typ, typ, "3")
				b.Expect("ok", "cells.array", typ, typ, "3")
				b.Expect("2", "cells.from", typ, "["+ones[typ]+","+ones[typ]+"]")
				a.Expect(ones[typ], "cells.load", typ, "1")
				a.Expect(zero, "cells.load", typ, "2")
				b.Expect("3", "cells.from", typ, "["+zero+","+ones[typ]+","+ones[typ]+","+ones[typ]+"]")
				a.Expect(zero, "cells.load", typ, "0")
				a.Expect(ones[typ], "cells.load", typ, "2")
			}
		})
	})
	t.Run("A2 what is copied out of it is one's own, in its order, and no longer than it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for typ, zero := range zeroes {
				a.Expect("ok", "cells.array", typ, typ, "3")
				b.Expect("ok", "cells.array", typ, typ, "3")
				b.Expect("ok", "cells.store", typ, "1", ones[typ])
				a.Expect("["+zero+","+ones[typ]+","+zero+"]", "cells.all", typ)
				a.Expect("["+zero+","+ones[typ]+","+zero+"]", "cells.to", typ, "5")
				a.Expect("["+zero+","+ones[typ]+"]", "cells.to", typ, "2")
				a.Expect("[]", "cells.to", typ, "0")
			}
		})
	})
	t.Run("V6, D2 its lock is apart from its cells, and its holder's death is told", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			for typ, zero := range zeroes {
				holder, a := w.Actor(), w.Actor()
				holder.Expect("ok", "cells.array", typ, typ, "3")
				a.Expect("ok", "cells.array", typ, typ, "3")
				holder.Expect("ok", "cells.lock", typ)
				a.Expect("deadline", "cells.lock", typ, "20ms")
				a.Expect("not owner", "cells.unlock", typ)
				a.Expect(zero, "cells.swap", typ, "2", ones[typ])
				c := a.Begin("cells.lock", typ)
				c.Blocked()
				holder.Kill()
				c.Expect("owner died")
				a.Expect(ones[typ], "cells.swap", typ, "2", zero)
				a.Expect("true", "cells.recover", typ)
				a.Expect("ok", "cells.lock", typ)
				a.Expect("ok", "cells.unlock", typ)
			}
		})
	})
	t.Run("V8 a handle travels", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for typ, zero := range zeroes {
				a.Expect("ok", "cells.array", typ, typ, "3")
				b.Expect("ok", "cells.arrives", "my "+typ, typ, a.Do("cells.marshal", typ))
				b.Expect(zero, "cells.swap", "my "+typ, "2", ones[typ])
				a.Expect(ones[typ], "cells.load", typ, "2")
			}
		})
	})
	t.Run("A4 bytes are all there, and a zero ends nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "cells.array", "text", "int8", "5")
			b.Expect("ok", "cells.array", "text", "int8", "5")
			a.Expect("5", "cells.from", "text", "[104,0,105,0,-1]")
			b.Expect("[104,0,105,0,-1]", "cells.all", "text")
			a.Expect("5", "cells.from", "text", "[1,2,3,4,5,6]") // as many as there is room for
			b.Expect("[1,2,3,4,5]", "cells.all", "text")
			a.Expect("2", "cells.from", "text", "[7,0]")
			b.Expect("[7,0,3,4,5]", "cells.all", "text")
		})
	})
	t.Run("A5 a length below 0 is refused, and 0 takes what is there", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.Actor()
			for typ := range zeroes {
				a.Expect("invalid", "cells.refused", typ, typ, "-1")
				a.Expect("not exist", "cells.refused", typ, typ, "0")
				a.Expect("ok", "cells.array", typ, typ, "2")
				a.Expect("mismatch", "cells.refused", typ, typ, "3")
			}
		})
	})
}
