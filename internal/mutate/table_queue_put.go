package main

// Putting into a queue, and the blocks of long messages.
var queuePutMutations = []mutation{
	{
		file: "internal/engine/queue_put.go",
		from: `		q.pool.free(first, tag, want)
		q.space.Ring(-1)
`,
		to: `		q.pool.free(first, tag, want)
`,
		promise: "a producer that waits for blocks is told of those that are given back",
		pkg:     "./internal/engine", run: "TestQueueBlocksGivenBackAreTold$",
	},
	{
		file: "internal/engine/queue_put.go",
		from: `		q.pool.free(first, tag, want)
		q.space.Ring(-1)
`,
		to: `		q.space.Ring(-1)
`,
		promise: "blocks are given back by who gets no slot",
		pkg:     "./internal/engine", run: "TestQueueBlocksGivenBackAreTold$",
	},
	{
		file: "internal/engine/queue_blocks.go",
		from: `		next := *p.link(b)
		if !mem.CAS64(p.owner(b), tag, 0) {
			return
		}
`,
		to: `		next := *p.link(b)
		mem.Store64(p.owner(b), 0)
`,
		promise: "damage to one chain harms no other message",
		pkg:     "./internal/engine", run: "TestQueueDamagedChain$",
	},
	{
		file: "internal/engine/queue_blocks.go",
		from: `		if b >= p.n || mem.Load64(p.owner(b)) != tag {
			return ErrCorrupt`,
		to: `		if b >= p.n {
			return ErrCorrupt`,
		promise: "of a damaged chain no other message's bytes are read",
		pkg:     "./internal/engine", run: "TestQueueDamagedChain$",
	},
	{
		file: "internal/engine/queue_blocks.go",
		from: `		if b >= p.n { // the region was closed or overwritten under it
			return
		}
`,
		to:      "",
		promise: "a producer writes to no block outside of the pool",
		pkg:     "./internal/engine", run: "TestQueueWriteStopsAtABadLink$",
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
		from: `	*s.attempts() = 0
`,
		to:      "",
		promise: "attempts are counted for each message anew",
		pkg:     "./internal/engine", run: "TestQueueFillAndDrain$",
	},
	{
		file: "internal/engine/queue_put.go",
		from: `	if by == nil && mem.Load64(q.state)&stateShut == 0 && !q.roomy() && !(q.sync() && q.roomy()) {
		return Slot{}, ErrFull // before blocks are held in vain
	}
`,
		to:      "",
		promise: "TryPut to a full queue holds no blocks, which another may want",
		pkg:     "./internal/engine", run: "TestSimQueueTryPutHoldsNoBlocks$", tags: "tandem_sim",
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
		file: "internal/engine/queue_blocks.go",
		from: `	p.free(first, tag, got)
`,
		to:      "",
		promise: "a producer that does not get all blocks gives back those it has",
		pkg:     "./internal/engine", run: "TestSimQueueBlocks$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_blocks.go",
		from: `		q.space.Ring(-1)
		for range`,
		to:      "\t\tfor range",
		promise: "a producer that was turned away by blocks held for a moment looks again",
		pkg:     "./internal/engine", run: "TestSimQueueBlocksHeldForAMoment$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_blocks.go",
		from: `	if !p.enough(start, want) {
		return 0, false, false
	}
`,
		to:      "",
		promise: "two that wait for more than there is do not wake each other",
		pkg:     "./internal/engine", run: "TestSimQueueBlocks$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_blocks.go",
		from:    "\t\tif seq := tags.Add(1) & (1<<tagSeqBits - 1); seq != 0 {",
		to:      "\t\tif seq := tags.Load() & (1<<tagSeqBits - 1); seq != 1<<33 {",
		promise: "no tag is used for two messages",
		pkg:     "./internal/engine", run: "TestSimQueueDiesAnywhere$", tags: "tandem_sim",
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
