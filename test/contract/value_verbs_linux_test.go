package contract_test

import (
	"context"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
)

var _ = actor.Sentinel("not exist", fs.ErrNotExist)

// What a Value and an Array can hold here. A word, and some that are none.
type (
	point struct {
		ID  int64
		XYZ [3]float64
		On  bool
	}
	code [5]uint8
)

// A value is an actor's Value or Array of some T, whose values are written as JSON.
// Of a Value there is one cell.
type value struct {
	encoding.BinaryMarshaler
	length   int
	load     func(i int) string
	keep     func() (kept func() string) // what it is now, whatever it is later; of a Value
	kept     func() string
	store    func(i int, x string)
	swap     func(i int, x string) string
	cas      func(i int, old, new string) bool
	add      func(i int) string // of one, by Update, to all that a T has
	lock     func(ctx context.Context) error
	recover  func(ctx context.Context) (bool, error)
	mark     func() error
	unlock   func() error
	copyFrom func(xs string) int
	copyTo   func(n int) string // the first n, as a copy has them
	all      func() string
}

func jsonOf(x any) string { return string(actor.Opened(json.Marshal(x))) }

func fromJSON[T any](s string) (x T) {
	actor.Opened(0, json.Unmarshal([]byte(s), &x))
	return x
}

// types are the Ts, by name.
var types = map[string]struct {
	open    func(e *actor.Env, name, initial string) (*value, error)
	array   func(e *actor.Env, name string, n int) (*value, error)
	arrived func(b []byte) (*value, error)
	arrives func(b []byte) (*value, error) // of an Array
}{}

func init() {
	valueType("int8", func(x int8) int8 { return x + 1 })
	valueType("uint8", func(x uint8) uint8 { return x + 1 })
	valueType("int16", func(x int16) int16 { return x + 1 })
	valueType("uint16", func(x uint16) uint16 { return x + 1 })
	valueType("int32", func(x int32) int32 { return x + 1 })
	valueType("uint32", func(x uint32) uint32 { return x + 1 })
	valueType("int64", func(x int64) int64 { return x + 1 })
	valueType("uint64", func(x uint64) uint64 { return x + 1 })
	valueType("float32", func(x float32) float32 { return x + 1 })
	valueType("float64", func(x float64) float64 { return x + 1 })
	valueType("point", func(x point) point {
		return point{x.ID + 1, [3]float64{x.XYZ[0] + 1, x.XYZ[1] + 1, x.XYZ[2] + 1}, !x.On}
	})
	valueType("point's ID", func(x point) point { x.ID++; return x })
	valueType("point's XYZ", func(x point) point { x.XYZ[1]++; return x })
	valueType("code", func(x code) code {
		for i := range x {
			x[i]++
		}
		return x
	})
}

func valueType[T any](name string, plus func(T) T) {
	ofValue := func(v *atomics.Value[T], err error) (*value, error) {
		if err != nil {
			return nil, err
		}
		return &value{
			BinaryMarshaler: v, length: 1,
			load: func(int) string { return jsonOf(v.Load()) },
			keep: func() func() string {
				x := v.Load()
				return func() string { return jsonOf(x) }
			},
			store: func(_ int, x string) { v.Store(fromJSON[T](x)) },
			swap:  func(_ int, x string) string { return jsonOf(v.Swap(fromJSON[T](x))) },
			cas:   func(_ int, old, new string) bool { return v.CompareAndSwap(fromJSON[T](old), fromJSON[T](new)) },
			add:   func(int) string { return jsonOf(v.Update(plus)) },
			lock:  v.Lock, recover: v.Recover, mark: v.MarkConsistent, unlock: v.Unlock,
		}, nil
	}
	ofArray := func(a *atomics.Array[T], err error) (*value, error) {
		if err != nil {
			return nil, err
		}
		return &value{
			BinaryMarshaler: a, length: a.Len(),
			load:  func(i int) string { return jsonOf(a.Load(i)) },
			store: func(i int, x string) { a.Store(i, fromJSON[T](x)) },
			swap:  func(i int, x string) string { return jsonOf(a.Swap(i, fromJSON[T](x))) },
			cas:   func(i int, old, new string) bool { return a.CompareAndSwap(i, fromJSON[T](old), fromJSON[T](new)) },
			add:   func(i int) string { return jsonOf(a.Update(i, plus)) },
			lock:  a.Lock, recover: a.Recover, mark: a.MarkConsistent, unlock: a.Unlock,
			copyFrom: func(xs string) int { return a.CopyFrom(fromJSON[[]T](xs)) },
			copyTo: func(n int) string {
				xs := make([]T, n)
				return jsonOf(xs[:a.CopyTo(xs)])
			},
			all: func() string {
				xs := []T{}
				for i, x := range a.All() {
					if i != len(xs) {
						return "out of order"
					}
					xs = append(xs, x)
				}
				return jsonOf(xs)
			},
		}, nil
	}
	types[name] = struct {
		open    func(e *actor.Env, name, initial string) (*value, error)
		array   func(e *actor.Env, name string, n int) (*value, error)
		arrived func(b []byte) (*value, error)
		arrives func(b []byte) (*value, error) // of an Array
	}{
		open: func(e *actor.Env, name, initial string) (*value, error) {
			return ofValue(atomics.OpenValue(e.Region, name, fromJSON[T](initial)))
		},
		array: func(e *actor.Env, name string, n int) (*value, error) {
			return ofArray(atomics.OpenArray[T](e.Region, name, n))
		},
		arrived: func(b []byte) (*value, error) {
			v := new(atomics.Value[T])
			return ofValue(v, v.UnmarshalBinary(b))
		},
		arrives: func(b []byte) (*value, error) {
			a := new(atomics.Array[T])
			if err := a.UnmarshalBinary(b); err != nil {
				return nil, err
			}
			return ofArray(a, nil)
		},
	}
}

// opened is the actor's value of a name, which it has opened.
func opened(e *actor.Env, name string) *value {
	return actor.Handle(e, "cells "+name, func() (*value, error) { return nil, fs.ErrNotExist })
}

func keeps(e *actor.Env, name string, open func() (*value, error)) string {
	actor.Handle(e, "cells "+name, open)
	return "ok"
}

func index(args []string) int { return actor.Opened(strconv.Atoi(args[1])) }

// cellVerb is a verb whose answer may be a panic.
func cellVerb(name string, f func(v *value, args []string) string) bool {
	return actor.Verb("cells."+name, func(e *actor.Env, args []string) (answer string) {
		v := opened(e, args[0])
		defer func() {
			if p := recover(); p != nil {
				answer = "panic"
			}
		}()
		return f(v, args)
	})
}

var (
	_ = actor.Verb("cells.value", func(e *actor.Env, args []string) string { // T initial
		return keeps(e, args[0], func() (*value, error) { return types[args[1]].open(e, args[0], args[2]) })
	})
	_ = actor.Verb("cells.array", func(e *actor.Env, args []string) string { // T n
		return keeps(e, args[0], func() (*value, error) {
			return types[args[1]].array(e, args[0], actor.Opened(strconv.Atoi(args[2])))
		})
	})
	_ = actor.Verb("cells.refused", func(e *actor.Env, args []string) string { // T n
		_, err := types[args[1]].array(e, args[0], actor.Opened(strconv.Atoi(args[2])))
		return verbs.Refusal(err)
	})
	_ = actor.Verb("cells.marshal", func(e *actor.Env, args []string) string {
		return hex.EncodeToString(actor.Opened(opened(e, args[0]).MarshalBinary()))
	})
	_ = actor.Verb("cells.unmarshal", func(e *actor.Env, args []string) string { // T handle
		b := actor.Opened(hex.DecodeString(args[2]))
		return keeps(e, args[0], func() (*value, error) { return types[args[1]].arrived(b) })
	})
	_ = actor.Verb("cells.arrives", func(e *actor.Env, args []string) string { // T handle, of an Array
		b := actor.Opened(hex.DecodeString(args[2]))
		return keeps(e, args[0], func() (*value, error) { return types[args[1]].arrives(b) })
	})
	_ = actor.Verb("cells.remove", func(e *actor.Env, args []string) string { return actor.Outcome(e.Region.Remove(args[0])) })

	_ = cellVerb("load", func(v *value, args []string) string { return v.load(index(args)) })
	_ = cellVerb("keep", func(v *value, _ []string) string { v.kept = v.keep(); return "ok" })
	_ = cellVerb("kept", func(v *value, _ []string) string { return v.kept() })
	_ = cellVerb("store", func(v *value, args []string) string { v.store(index(args), args[2]); return "ok" })
	_ = cellVerb("swap", func(v *value, args []string) string { return v.swap(index(args), args[2]) })
	_ = cellVerb("cas", func(v *value, args []string) string { return fmt.Sprint(v.cas(index(args), args[2], args[3])) })
	_ = cellVerb("len", func(v *value, _ []string) string { return fmt.Sprint(v.length) })
	_ = cellVerb("from", func(v *value, args []string) string { return fmt.Sprint(v.copyFrom(args[1])) })
	_ = cellVerb("to", func(v *value, args []string) string { return v.copyTo(index(args)) })
	_ = cellVerb("all", func(v *value, _ []string) string { return v.all() })
	_ = cellVerb("add", func(v *value, args []string) string { // i n
		for range actor.Opened(strconv.Atoi(args[2])) {
			v.add(index(args))
		}
		return "ok"
	})
	_ = cellVerb("unlock", func(v *value, _ []string) string { return actor.Outcome(v.unlock()) })
	_ = actor.Verb("cells.lock", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return actor.Outcome(opened(e, args[0]).lock(ctx))
	})
	_ = actor.Verb("cells.recover", func(e *actor.Env, args []string) string { // and repair, and unlock
		v := opened(e, args[0])
		suspect := actor.Opened(v.recover(e.Ctx))
		actor.Opened(0, v.mark())
		actor.Opened(0, v.unlock())
		return fmt.Sprint(suspect)
	})
)
