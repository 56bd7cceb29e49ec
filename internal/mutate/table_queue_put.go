package main

// Putting into a queue, and the blocks of long messages.
var queuePutMutations = []mutation{
	{
		file:    "internal/engine/queue_apart.go",
		from:    "p) > q.n-q.n/8",
		to:      "p) > 0",
		promise: "a producer gives way in a ring that is nearly full, and in no other",
		pkg:     "./internal/engine", run: "TestQueueEndsKeepApart$",
	},
	{
		file:    "internal/engine/queue_apart.go",
		from:    "q.shared(&q.tail)) < apartClose",
		to:      "q.shared(&q.tail)) < q.n",
		promise: "a consumer gives way where the producers are close, and nowhere else",
		pkg:     "./internal/engine", run: "TestQueueEndsKeepApart$",
	},
	{
		file:    "internal/engine/queue_apart.go",
		from:    "q.n < apartLeast || ",
		to:      "",
		promise: "nobody gives way in a small ring",
		pkg:     "./internal/engine", run: "TestQueueEndsKeepApart$",
	},
	{
		file:    "internal/engine/queue_apart.go",
		from:    "	a.due.Store(false)\n",
		to:      "",
		promise: "one gives way once for one occasion",
		pkg:     "./internal/engine", run: "TestQueueEndsKeepApart$",
	},
	{
		file:    "internal/engine/queue_apart.go",
		from:    "min(2*a.every.Load()+1, apartRare)",
		to:      "uint32(1)",
		promise: "one gives way seldom to those that stand still",
		pkg:     "./internal/engine", run: "TestQueueGivesWayToThoseThatMove$",
	},
	{
		file:    "internal/engine/queue_apart.go",
		from:    "	a.every.Store(0)\n}",
		to:      "}",
		promise: "one gives way again to those that move",
		pkg:     "./internal/engine", run: "TestQueueGivesWayToThoseThatMove$",
	},
	{
		file:    "internal/engine/queue_room.go",
		from:    "	case !ok || ahead(s, p) == 0",
		to:      "	case ok && ahead(s, p) == 0",
		promise: "a producer is woken where the words lead nowhere",
		pkg:     "./internal/engine", run: "TestQueueWalkThatIsLost$",
	},
	{
		file:    "internal/engine/queue_slots.go",
		from:    "	return !ok || untaken(s)",
		to:      "	return ok && untaken(s)",
		promise: "and so is a consumer",
		pkg:     "./internal/engine", run: "TestQueueWalkThatIsLost$",
	},
	{
		file: "internal/engine/queue_put.go",
		from: `			q.pool.giveBack(first, tag, want)
			q.space.Ring(-1)
`,
		to: `		q.pool.giveBack(first, tag, want)
`,
		promise: "a producer that waits for blocks is told of those that are given back",
		pkg:     "./internal/engine", run: "TestQueueBlocksGivenBackAreTold$",
	},
	{
		file: "internal/engine/queue_put.go",
		from: `			q.pool.giveBack(first, tag, want)
			q.space.Ring(-1)
`,
		to: `		q.space.Ring(-1)
`,
		promise: "blocks are given back by who gets no slot",
		pkg:     "./internal/engine", run: "TestQueueBlocksGivenBackAreTold$",
	},
	{
		file: "internal/engine/queue_put.go",
		from: `		q.passSpace() // it may have been woken as well
`,
		to:      "",
		promise: "a producer that gives up passes its wake-up on",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
	{
		file: "internal/engine/queue_put.go",
		from: `	if q.space.Armed() {
		q.passSpace()
	}
`,
		to:      "",
		promise: "a producer that gets in passes the wake-up on for the next",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
	{
		file: "internal/engine/queue_put.go",
		from: `	q.first(s)
`,
		to:      "",
		promise: "attempts are counted for each message anew",
		pkg:     "./internal/engine", run: "TestQueueAttemptsBeginAnew$",
	},
	{
		file:    "internal/engine/queue_slots.go",
		from:    "(uintptr(s.p)-uintptr(q.slots))>>q.shift",
		to:      "(uintptr(s.p)-uintptr(q.slots))>>q.shift&^7",
		promise: "each slot has a count of its own",
		pkg:     "./internal/engine", run: "TestQueueAttemptsBeginAnew$",
	},
	{
		file: "internal/engine/queue_put.go",
		from: `	if by == nil && mem.Load64(q.state)&stateShut == 0 && q.full() {
		return Slot{}, ErrFull // before blocks are held in vain
	}
`,
		to:      "",
		promise: "TryPut to a full queue holds no blocks, which another may want",
		pkg:     "./internal/engine", run: "TestSimQueueTryPutHoldsNoBlocks$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_room.go",
		from:    "if p == sure || phaseOf(s)",
		to:      "if sure != ^uint64(0) || phaseOf(s)",
		promise: "a long TryPut is sure of ErrFull for each position anew",
		pkg:     "./internal/engine", run: "TestSimQueueSeesWhatWasGotByLongPuts$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_room.go",
		from:    "|| !q.sync() {",
		to:      "|| true {",
		promise: "a long TryPut does not say ErrFull of a slot that was got",
		pkg:     "./internal/engine", run: "TestSimQueueSeesWhatWasGotByLongPuts$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_put.go",
		from: `	if err == ErrFull && by != nil {
		if e := q.awaitSpace(`,
		to: `	if err == ErrFull && by == nil {
		if e := q.awaitSpace(`,
		promise: "Put waits for blocks",
		pkg:     "./internal/engine", run: "TestSimQueueBlocks$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_put.go",
		from: `	q.items.Ring(1)
`,
		to:      "",
		promise: "a message is told to consumers",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
}
