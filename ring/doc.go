// Package ring has queues in shared memory: [Queue] for any number of producers and
// consumers in any processes, [SPSC] for one of each, [Broadcast], of which
// every subscriber sees every message, and pipes, of which a [Conn] is an end. [Listen] and
// [Dial] are package net's, through memory: a net.Listener, and connections.
//
//	jobs, err := ring.OpenQueue[Job](region, "jobs", nil)
//	…
//	err = jobs.Put(ctx, Job{url}) // in one process
//
//	for job, err := range jobs.Leases(ctx) { // in any number of others
//		if err != nil {
//			return err
//		}
//		work(job.Value())
//		job.Ack() // before that, a death of this process gives it to another
//	}
//
// # What is kept when a process dies
//
// A process may be killed at any instruction. A message whose Put returned is
// in the queue; one whose Put had not returned is in it whole, or not at all.
// A message that was leased and not acknowledged is delivered again, with a
// higher [Delivery.Attempt]. One that [Queue.Get] returned is the getter's, and gone with it; a
// Get that had not returned has taken the message, or left it. Nobody is left
// waiting for what died. A stopped process is not dead: what it has leased
// stays leased, and a producer stopped in the few nanoseconds between its
// claim of a slot and the message's publication holds up consumers until it
// goes on. One stopped in the middle of Nack may hide the message it was giving
// back: from Get and Lease for a second, from TryGet, TryLease and Len until the
// queue has gone round once, or it goes on.
//
// # Large messages
//
// Put copies a message into the region, and Get copies it out into memory of its own.
// [Queue.GetInto] copies it into memory that the caller has. What is large need not
// be copied at all: [Queue.Loan] lends memory of the region, to be filled in place,
// and [Delivery.View] shows a leased message where it is. That is for []byte, and by
// [Loan.Ptr] and [Delivery.Ptr] for a plain T that is larger than a slot. A loan holds
// no place in the queue, so one who is slow to fill it, or dies, holds up nobody; but
// it takes room of Buffer, which waits for its end or its holder's. In a region that
// was closed loans and views are zeroes of the process's own.
//
// # Broadcasts
//
// A [Broadcast] is for what all are to see. Each [Subscriber] sees the messages from the
// next one on. Where it is [Reliable] publishers wait for the slowest one that lives;
// where it is [Lossy] they wait for none, and Next says how many messages were missed. A
// publisher that is stopped or killed at any instruction holds up nobody; nor does a
// subscriber, but that it is waited for while it is stopped. Messages, codecs and their
// errors are as a queue's.
//
// # Pipes
//
// A pipe is for two who talk: what one end sends the other receives, and when nobody has
// the one end any more, closed or dead, the other learns of it, by io.EOF and syscall.EPIPE.
// [Conn] has the rest. A process that is killed in Send has sent a whole message or nothing,
// and its peer has received all whose Sends returned, before io.EOF. One that is stopped in
// the middle of a copy holds up those that send from the same end, or receive at it.
// [Conn.RecvInto] receives long messages without new memory for each; they go fastest
// through a Buffer that is larger than a processor's own cache, some MiB.
//
// # Connections
//
// [Listen] and [Dial] take the place of package net's where both processes are of one
// region. A process that is killed has written the first part of what it wrote, and its
// peer reads that, and then io.EOF; whoever waits for it is told: in [Dial] by
// syscall.ECONNREFUSED, at a connection by io.EOF, or syscall.ECONNRESET where it has left
// bytes unread, and syscall.EPIPE. One that is stopped is slow. A listener or a connection
// that nothing reaches any more is closed.
//
//	l, err := ring.Listen(region, "web", nil) // in one process
//	err = http.Serve(l, handler)
//
//	client := http.Client{Transport: &http.Transport{ // in others
//		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
//			return ring.Dial(ctx, region, "web")
//		},
//	}}
//
// # Order
//
// If one Put returned before another began, its message comes first. Two Puts
// at a time come in either order, and a message that is delivered again comes
// when it does. What a Put orders, in the terminology of the Go memory model,
// stands at [Queue].
//
// # Messages
//
// A plain T, of fixed size and without pointers, is copied as it is; []byte and
// string are their bytes; any other T is encoded by CBOR, or by a Codec. A
// message is encoded before Put returns, so what it was made from may change
// afterwards.
//
// By CBOR what Put accepts Get returns, but for these: two pointers to one thing
// arrive as pointers to two; a pointer to what is nil (a pointer, slice, map or
// any) or to the zero Time as nil, and so an embedded pointer to a struct without
// fields. What is in an any arrives as CBOR's own types: uint64 or, if negative,
// int64; float64, bool, string, []byte, []any, map[any]any, time.Time (nil if
// zero) and big.Int. A time keeps its instant to the nanosecond and its zone's
// offset to the minute; not the zone's name, nor a monotonic reading. What a tag
// leaves out (`cbor:"-"`, omitempty, omitzero; json tags where there is no cbor
// tag) is zero. A type with marshalers of its own arrives as they have it.
//
// What would lose something else is refused. When the queue is opened: a type with
// an unexported field; with two fields of one name, also where one hides an
// embedded one's; one that encodes by the marshaler of what is embedded in it, as a
// struct with a time.Time and more does; and a marshaler with no unmarshaler. By
// Put: what refers to itself, is nested too deep, or has such a type in an any; a
// map of which two keys would arrive as one (int 1 and uint8 1 in a map[any]int)
// or could not be a key; a year that has not four digits. That takes no more time
// than MaxMessage bytes would. A marshaler may be called more than once, since
// what it returns counts before it is encoded.
//
// A Queue's handle may be used by any number of goroutines, as may a Conn, an SPSC's by one
// at a time on each side; each may be sent to another process as an argument. Close ends it, and nothing but it: a queue's end is
// Shutdown.
//
// # A user's code that does not return
//
// Codecs, marshalers and bodies of loops may panic, or end their goroutine. No
// slot is claimed while a message is encoded: nothing was put then. A message
// whose decoder does it is gone and counts as done, as one that does not
// decode. One that the body of a loop over Leases was given goes back. A panic
// goes on to the caller.
package ring
