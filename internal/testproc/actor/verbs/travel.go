package verbs

import (
	"encoding"
	"encoding/hex"

	"example.com/tandem/internal/testproc/actor"
)

// A handle travels as bytes.
type handle[H any] interface {
	*H
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// travels names the verbs of a kind whose handles travel.
func travels[H any, P handle[H]](kind string, of func(e *actor.Env, name string) P) {
	actor.Verb(kind+".marshal", func(e *actor.Env, args []string) string { // the handle
		return hex.EncodeToString(actor.Opened(of(e, args[0]).MarshalBinary()))
	})
	// From now on args[0] is what the handle in args[1] was on.
	actor.Verb(kind+".unmarshal", func(e *actor.Env, args []string) string {
		b := actor.Opened(hex.DecodeString(args[1]))
		actor.Handle(e, args[0], func() (P, error) {
			h := P(new(H))
			return h, h.UnmarshalBinary(b)
		})
		return "ok"
	})
}
