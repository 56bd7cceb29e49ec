package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"example.com/tandem/test/stepkill"
)

// What the victim does to the messages that are there.
type effect int

const (
	puts  effect = iota // numbers from 101 on
	takes               // so many are gone
	tries               // so many have had an attempt; all are there
	ends                // shuts the queue down
)

// A scene is a state of a queue and what a victim does then.
type scene struct {
	name string

	// What is there: messages 1 to n, of which this process has leased some
	// and has got, or given back, others.
	n, leased, gotten, returned int
	shut                        bool

	prepare func(q *numbers) ([]lent, error) // in the victim
	does    effect
	times   int
	atOnce  bool                                // the victim notes all of them, or none
	do      func(q *numbers, held []lent) error // notes each time

	getters, putters int              // peers that are asleep in Get and in Put
	wake             func(q *numbers) // when the victim is asleep
}

// times has the victim do something so often, and note each time.
func times(n int, do func(i int) error) error {
	for i := range n {
		if err := do(i); err != nil {
			return err
		}
		stepkill.Note(i + 1)
	}
	return nil
}

var background = context.Background()

func putTwo(q *numbers, _ []lent) error {
	return times(2, func(i int) error { return q.put(background, 101+i) })
}

func putOne(q *numbers, _ []lent) error {
	return times(1, func(i int) error { return q.put(background, 101+i) })
}

func getOne(q *numbers, _ []lent) error {
	return times(1, func(int) error { return q.drop(background) })
}

func getTwo(q *numbers, _ []lent) error {
	return times(2, func(int) error { return q.drop(background) })
}

// batches has the victim end a batch of n, in as many calls as it takes, and note
// it when it is whole.
func batches(n int, batch func(context.Context) (int, error)) error {
	k, err := batch(background)
	if err == nil && k != n {
		err = fmt.Errorf("a batch of %d, not %d", k, n)
	}
	if err == nil {
		stepkill.Note(n)
	}
	return err
}

func putBatch(q *numbers, _ []lent) error { return batches(2, q.putBoth) }
func putFirst(q *numbers, _ []lent) error { return batches(1, q.putBoth) }
func getBatch(q *numbers, _ []lent) error { return batches(2, q.dropTwo) }
func getFirst(q *numbers, _ []lent) error { return batches(1, q.dropTwo) }

func leaseAck(q *numbers, _ []lent) error {
	return times(2, func(int) error {
		d, err := q.lease(background)
		if err != nil {
			return err
		}
		return d.ack()
	})
}

func leaseNack(q *numbers, _ []lent) error {
	return times(2, func(int) error {
		d, err := q.lease(background)
		if err != nil {
			return err
		}
		return d.nack()
	})
}

func leaseTwo(q *numbers, _ []lent) error {
	return times(2, func(int) error { _, err := q.lease(background); return err })
}

func ackAll(_ *numbers, held []lent) error {
	return times(len(held), func(i int) error { return held[i].ack() })
}

func nackAll(_ *numbers, held []lent) error {
	return times(len(held), func(i int) error { return held[i].nack() })
}

func shutDown(q *numbers, _ []lent) error {
	return times(1, func(int) error { return q.shutdown() })
}

func getToEnd(q *numbers, _ []lent) error {
	if err := getOne(q, nil); err != nil {
		return err
	}
	if err := q.drop(background); !errors.Is(err, io.EOF) {
		return fmt.Errorf("Get at the end = %v", err)
	}
	return nil
}

func holdTwo(q *numbers) (held []lent, err error) {
	for range 2 {
		d, err := q.lease(background)
		if err != nil {
			return nil, err
		}
		held = append(held, d)
	}
	return held, nil
}

func putsOne(q *numbers)  { q.tryPut(150) }
func acksOne(q *numbers)  { takeOne(q) }
func putsAlso(q *numbers) { q.tryPut(150); q.tryPut(151) }

var scenes = []scene{
	{name: "put, empty", does: puts, times: 2, do: putTwo},
	{name: "put, part full", n: 2, does: puts, times: 2, do: putTwo},
	{name: "put, full", n: 4, does: puts, times: 1, do: putOne, wake: acksOne},
	{name: "put, a getter asleep", does: puts, times: 2, do: putTwo, getters: 1},
	{name: "put, leases out", n: 4, leased: 2, gotten: 2, does: puts, times: 2, do: putTwo},
	{name: "put, returned behind the head", n: 4, returned: 1, gotten: 3, does: puts, times: 2, do: putTwo},
	{name: "get, full", n: 4, does: takes, times: 2, do: getTwo},
	{name: "get, part full", n: 2, does: takes, times: 2, do: getTwo},
	{name: "get, empty", does: takes, times: 1, do: getOne, wake: putsOne},
	{name: "get, full, a putter asleep", n: 4, does: takes, times: 2, do: getTwo, putters: 1},
	{name: "get, leases out", n: 4, leased: 2, does: takes, times: 2, do: getTwo},
	{name: "get, returned", n: 4, returned: 2, does: takes, times: 2, do: getTwo},
	{name: "get, to the end", n: 1, shut: true, does: takes, times: 1, do: getToEnd},
	{name: "put a batch, empty", does: puts, times: 2, atOnce: true, do: putBatch},
	{name: "put a batch, room for one", n: 3, does: puts, times: 1, atOnce: true, do: putFirst},
	{name: "put a batch, full", n: 4, does: puts, times: 1, atOnce: true, do: putFirst, wake: acksOne},
	{name: "put a batch, getters asleep", does: puts, times: 2, atOnce: true, do: putBatch, getters: 2},
	{name: "put a batch, leases out", n: 4, leased: 2, gotten: 2, does: puts, times: 2, atOnce: true, do: putBatch},
	{name: "get a batch, part full", n: 3, does: takes, times: 2, atOnce: true, do: getBatch},
	{name: "get a batch, empty", does: takes, times: 1, atOnce: true, do: getFirst, wake: putsOne},
	{name: "get a batch, a putter asleep", n: 4, does: takes, times: 2, atOnce: true, do: getBatch, putters: 1},
	{name: "get a batch, returned", n: 4, returned: 1, does: takes, times: 2, atOnce: true, do: getBatch},
	{name: "get a batch, shut down", n: 2, shut: true, does: takes, times: 2, atOnce: true, do: getBatch},
	{name: "lease and ack", n: 3, does: takes, times: 2, do: leaseAck},
	{name: "lease and nack", n: 3, does: tries, times: 2, do: leaseNack},
	{name: "lease, empty", does: tries, times: 2, do: leaseTwo, wake: putsAlso},
	{name: "lease, a putter asleep", n: 4, does: tries, times: 2, do: leaseTwo, putters: 1},
	{name: "ack, leases out", n: 4, leased: 1, prepare: holdTwo, does: takes, times: 2, do: ackAll},
	{name: "ack, a putter asleep", n: 4, prepare: holdTwo, does: takes, times: 2, do: ackAll, putters: 1},
	{name: "nack, a getter asleep", n: 2, prepare: holdTwo, does: tries, times: 2, do: nackAll, getters: 1},
	{name: "nack, leases out", n: 4, leased: 1, prepare: holdTwo, does: tries, times: 2, do: nackAll},
	{name: "shutdown, part full", n: 2, leased: 1, does: ends, times: 1, do: shutDown},
	{name: "shutdown, getters asleep", n: 1, leased: 1, does: ends, times: 1, do: shutDown, getters: 2},
	{name: "shutdown, full, a putter asleep", n: 4, does: ends, times: 1, do: shutDown, putters: 1},
}
