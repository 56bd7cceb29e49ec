package verbs

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/ring"
)

// leased keeps a delivery by its number, and says that and which attempt it is.
func leased(e *actor.Env, name string, n int64, d delivery, err error) string {
	if err != nil {
		return Ringed(err)
	}
	as := lease(name, n)
	e.Drop(as)
	actor.Handle(e, as, func() (delivery, error) { return d, nil })
	return fmt.Sprintf("%d #%d", n, d.Attempt())
}

func lease(name string, n int64) string { return fmt.Sprint("lease ", name, " ", n) }

func leaseOf(e *actor.Env, args []string) delivery {
	return actor.Handle(e, lease(args[0], numbers(args[1:])[0]), func() (delivery, error) { return nil, errors.New("no lease") })
}

var (
	_ = actor.Verb("queue.open", func(e *actor.Env, args []string) string { // another handle, which is the actor's from now on
		q, err := queueAt(e, args[0])
		if err != nil {
			return Refusal(err)
		}
		e.Drop(args[0])
		actor.Handle(e, args[0], func() (Numbers, error) { return q, nil })
		return "ok"
	})
	_ = actor.Verb("queue.put", func(e *actor.Env, args []string) string { // number, [timeout]
		ctx, cancel := e.Within(args, 2)
		defer cancel()
		return Ringed(Queue(e, args[0]).put(ctx, numbers(args[1:2])[0]))
	})
	_ = actor.Verb("queue.tryput", func(e *actor.Env, args []string) string { // number
		return Ringed(Queue(e, args[0]).tryPut(numbers(args[1:])[0]))
	})
	_ = actor.Verb("queue.putbatch", func(e *actor.Env, args []string) string { // numbers: how many were put
		n, err := Queue(e, args[0]).putBatch(e.Ctx, numbers(args[1:]))
		if err != nil {
			return Ringed(err)
		}
		return fmt.Sprint(n)
	})
	_ = actor.Verb("queue.get", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return told(one(Queue(e, args[0]).get(ctx)))
	})
	_ = actor.Verb("queue.getinto", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return told(one(Queue(e, args[0]).getInto(ctx)))
	})
	_ = actor.Verb("queue.tryget", func(e *actor.Env, args []string) string { return told(one(Queue(e, args[0]).tryGet())) })
	_ = actor.Verb("queue.getbatch", func(e *actor.Env, args []string) string { // most, [timeout]
		ctx, cancel := e.Within(args, 2)
		defer cancel()
		return told(Queue(e, args[0]).getBatch(ctx, int(numbers(args[1:2])[0])))
	})
	_ = actor.Verb("queue.poll", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return Ringed(Queue(e, args[0]).Poll(ctx))
	})

	_ = actor.Verb("queue.lease", func(e *actor.Env, args []string) string { // [timeout]: the number, and which attempt it is
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		n, d, err := Queue(e, args[0]).lease(ctx)
		return leased(e, args[0], n, d, err)
	})
	_ = actor.Verb("queue.trylease", func(e *actor.Env, args []string) string {
		n, d, err := Queue(e, args[0]).tryLease()
		return leased(e, args[0], n, d, err)
	})
	_ = actor.Verb("queue.ack", func(e *actor.Env, args []string) string { return Ringed(leaseOf(e, args).Ack()) })   // number
	_ = actor.Verb("queue.nack", func(e *actor.Env, args []string) string { return Ringed(leaseOf(e, args).Nack()) }) // number

	_ = actor.Verb("queue.taskdone", func(e *actor.Env, args []string) string { return Ringed(Queue(e, args[0]).TaskDone()) })
	_ = actor.Verb("queue.join", func(e *actor.Env, args []string) string { // [timeout]
		ctx, cancel := e.Within(args, 1)
		defer cancel()
		return Ringed(Queue(e, args[0]).Join(ctx))
	})
	_ = actor.Verb("queue.shutdown", func(e *actor.Env, args []string) string { return Ringed(Queue(e, args[0]).Shutdown()) })
	_ = actor.Verb("queue.close", func(e *actor.Env, args []string) string { return Ringed(Queue(e, args[0]).Close()) })
	_ = actor.Verb("queue.len", func(e *actor.Env, args []string) string { return fmt.Sprint(Queue(e, args[0]).Len()) })
	_ = actor.Verb("queue.cap", func(e *actor.Env, args []string) string { return fmt.Sprint(Queue(e, args[0]).Cap()) })

	// Puts numbers from the first to the last, and waits where it must.
	_ = actor.Verb("queue.putall", func(e *actor.Env, args []string) string {
		q, ns := Queue(e, args[0]), numbers(args[1:])
		for n := ns[0]; n <= ns[1]; n++ {
			if err := q.put(e.Ctx, n); err != nil {
				return Ringed(err)
			}
		}
		return "ok"
	})
	// Gets numbers to the end, says of each that it is done, and then which they were.
	_ = actor.Verb("queue.getall", func(e *actor.Env, args []string) string { // by get, into, batch, all or lease
		q, got := Queue(e, args[0]), []int64(nil)
		for {
			ns, err := getSome(e.Ctx, q, args[1])
			got = append(got, ns...)
			for range ns {
				if err == nil && args[1] != "lease" {
					err = q.TaskDone()
				}
			}
			switch {
			case errors.Is(err, io.EOF):
				return told(got, nil)
			case err != nil:
				return Ringed(err) + " after " + told(got, nil)
			}
		}
	})

	_ = actor.Verb("queue.marshal", func(e *actor.Env, args []string) string { // the handle
		return hex.EncodeToString(actor.Opened(Queue(e, args[0]).MarshalBinary()))
	})
	// From now on args[0], of plain numbers, is what the handle in args[1] was on.
	_ = actor.Verb("queue.unmarshal", func(e *actor.Env, args []string) string {
		b := actor.Opened(hex.DecodeString(args[1]))
		actor.Handle(e, args[0], func() (Numbers, error) {
			q := new(ring.Queue[int64])
			return numbersOf[int64]{q, plainForm}, q.UnmarshalBinary(b)
		})
		return "ok"
	})

	// Puts what cannot be encoded.
	_ = actor.Verb("queue.putloop", func(e *actor.Env, args []string) string {
		r := record{}
		r.Next = &r
		return Ringed(Queue(e, args[0]).(numbersOf[record]).Put(e.Ctx, r))
	})
)
