package main

// A queue as a whole: recovery, looks and checks.
var queueWholeMutations = []mutation{
	{
		file:    "internal/engine/queue.go",
		from:    "\tp, s, ok := q.getFront()\n\tfor range q.n {",
		to:      "\tp, ok := q.head.load(), true\n\ts := mem.Load64(q.word(posSlot(p)))\n\tfor range q.n {",
		promise: "Len goes to the front before it counts",
		pkg:     "./internal/engine", run: "TestQueueIdleHandle$",
	},
	{
		file: "internal/engine/queue_recover.go",
		from: `	if !q.fixed {
		q.recoverBlocks(`,
		to: `	for _, ss := range drains {
		for _, s := range ss {
			mem.CAS64(s.w(), s.word, slotWord(nextTurn(turnOf(s.word)), slotEmpty, 0))
		}
	}
	if !q.fixed {
		q.recoverBlocks(`,
		promise: "blocks of a slot left draining survive the death of the recoverer",
		pkg:     "./internal/engine", run: "TestSimQueueDiesAnywhere$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_recover.go",
		from:    "\tif returned {\n\t\tsetPending",
		to:      "\tif returned && false {\n\t\tsetPending",
		promise: "the messages of a dead lessee come again",
		pkg:     "./internal/engine", run: "TestSimQueueDiesAnywhere$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_recover.go",
		from:    "case slotReturned:\n\t\t\treturned = true\n",
		to:      "",
		promise: "a message returned by one who died before he said so comes again",
		pkg:     "./internal/engine", run: "TestSimQueueDiesAnywhere$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_recover.go",
		from: `		mem.CAS64(w, v, of)
`,
		to: `		break
`,
		promise: "what a dead process had got and not done does not hold up Join",
		pkg:     "./internal/engine", run: "TestSimQueueDiesAnywhere$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_recover.go",
		from:    "tagWho(tag) == who && !keep[tag])",
		to:      "tagWho(tag) == who && keep != nil)",
		promise: "the messages of a dead producer that were published are whole",
		pkg:     "./internal/engine", run: "TestSimQueue$/kills=3,stops=0", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_recover.go",
		from:    "(drains[tag] != nil || ",
		to:      "(",
		promise: "blocks of a message that the dead was draining are freed",
		pkg:     "./internal/engine", run: "TestSimQueueDiesAnywhere$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_recover.go",
		from:    "for _, b := range []Bell{q.items, q.space, q.idle} { // R5",
		to:      "for _, b := range []Bell{} { // R5",
		promise: "recovery wakes all who wait",
		pkg:     "./internal/engine", run: "TestSimQueue$/kills=3,stops=0", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_recover.go",
		from:    "if whoOf(s.word) != who {\n\t\t\treturn s",
		to:      "if false {\n\t\t\treturn s",
		promise: "recovery touches nothing of the living",
		pkg:     "./internal/engine", run: "TestSimQueueDiesAnywhere$|TestSimQueue$/kills=3,stops=0", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue.go",
		from: `	q.items.Bump()
	q.space.Bump()
}`,
		to: `	q.space.Bump()
}`,
		promise: "Shutdown wakes consumers",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
	{
		file: "internal/engine/queue.go",
		from: `	q.items.Bump()
	q.space.Bump()
}`,
		to: `	q.items.Bump()
}`,
		promise: "Shutdown wakes producers",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
	{
		file: "internal/engine/queue.go",
		from: `		for i := range q.n {
			if untaken(mem.Load64(q.word(i))) {
				n++
			}
		}
		return n
`,
		to:      "",
		promise: "Len counts what was given back",
		pkg:     "./internal/engine", run: "TestQueueAckNack$",
	},
	{
		file: "internal/engine/queue.go",
		from: `		q.wakes = -1
`,
		to:      "",
		promise: "where messages have blocks all producers are woken",
		pkg:     "./internal/engine", run: "TestSimQueueBlocks$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue.go",
		from: `	if env.Self.Index >= uint32(c.Rows) {
		return nil, ErrCorrupt
	}
`,
		to:      "",
		promise: "no participant without a row",
		pkg:     "./internal/engine", run: "TestQueueRefusesAStranger$",
	},
	{
		file: "internal/engine/queue_look.go",
		from: `		case slotReading, slotDraining:
			holdings`,
		to: `		case slotReading:
			holdings`,
		promise: "a snapshot names who is in a slot",
		pkg:     "./internal/engine", run: "TestSimQueueStopped$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_look.go",
		from:    "\tif ph == slotSealed && mem.Load64(q.state)&stateShut == 0 {",
		to:      "\tif ph == slotSealed && mem.Load64(q.state)&stateShut == 9 {",
		promise: "Check finds a queue that ends and was not shut down",
		pkg:     "./internal/engine", run: "TestQueueCheckFinds$",
	},
	{
		file:    "internal/engine/queue_look.go",
		from:    "\tif c.returned && mem.Load64(q.state)&statePending == 0 {",
		to:      "\tif c.returned && mem.Load64(q.state) == 9 {",
		promise: "Check finds a message given back that nobody would look for",
		pkg:     "./internal/engine", run: "TestQueueCheckFinds$",
	},
	{
		file:    "internal/engine/queue_look.go",
		from:    "\t\tif whoOf(s) != 0 {",
		to:      "\t\tif whoOf(s) == 1<<30 {",
		promise: "Check finds an owner where there is none",
		pkg:     "./internal/engine", run: "TestQueueCheckFinds$",
	},
	{
		file:    "internal/engine/queue_look.go",
		from:    "\t\tif c.tags[tag] != 0 {",
		to:      "\t\tif c.tags[tag] == 1<<30 {",
		promise: "Check finds two messages in the same blocks",
		pkg:     "./internal/engine", run: "TestQueueCheckFinds$",
	},
	{
		file:    "internal/engine/queue_look.go",
		from:    "wrong(d) || d == 0 && !passed(s) && phaseOf(s) != slotReturned {",
		to:      "wrong(d) {",
		promise: "Check finds a message that head has passed",
		pkg:     "./internal/engine", run: "TestQueueCheckFinds$",
	},
}
