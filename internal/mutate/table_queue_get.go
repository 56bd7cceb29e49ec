package main

// Getting from a queue, and Join.
var queueGetMutations = []mutation{
	{
		file:    "internal/engine/queue_get.go",
		from:    ", unrung: q.lookBack}); e != nil {",
		to:      "}); e != nil {",
		promise: "a message whose giver-back is stopped comes to who waits",
		pkg:     "./internal/engine", run: "TestSimQueueStoppedGivingBack$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/bell.go",
		from:    "unrung != nil && mem.Load32(b.w) == v {",
		to:      "unrung != nil && mem.Load32(b.w) != v {",
		promise: "a sleep in which nobody rang is told from one in which somebody did",
		pkg:     "./internal/engine", run: "TestSimQueueStoppedGivingBack$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/bell.go",
		from:    "if done() {       // B2",
		to:      "if false {  // B2",
		promise: "a consumer, and a producer, looks again when the bell is armed",
		pkg:     "./internal/engine", run: "TestSimQueue$/kills=0,stops=0", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_join.go",
		from:    "\t\t\tif mem.CAS64(q.rests, v, v&^(1<<32-1)|uint64(uint32(v)+1)) {",
		to:      "\t\t\tif v != ^uint64(0) {",
		promise: "Join ends though messages come again before it looks",
		pkg:     "./internal/engine", run: "TestQueueJoinIsToldOfARest$",
	},
	{
		file:    "internal/engine/queue_get.go",
		from:    "\tq.got() // G3\n\tto :=",
		to:      "\tdefer q.got()\n\tto :=",
		promise: "a message enters its row before it leaves its slot: Join never misses it",
		pkg:     "./internal/engine", run: "TestSimQueue(Join)?$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_get.go",
		from:    "	if !mem.CAS64(s.w(), s.word, draining) { // G4\n		return false\n	}\n",
		to:      "	draining = s.word\n",
		promise: "a message whose blocks are being freed is not delivered again",
		pkg:     "./internal/engine", run: "TestSimQueueDiesAnywhere$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_get.go",
		from: `	if mem.Load64(q.state)&stateShut != 0 {
		q.items.Ring(-1)
	}
	if q.idle`,
		to:      "\tif q.idle",
		promise: "the end of the last message after Shutdown wakes who waits for the end",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
	{
		file: "internal/engine/queue_get.go",
		from: `	if q.idle.Armed() {
		q.tellRest()
	}
`,
		to:      "",
		promise: "the call that ends the last message tells Join",
		pkg:     "./internal/engine", run: "TestQueueJoinIsToldOfARest$",
	},
	{
		file:    "internal/engine/queue_get.go",
		from:    "\t\tif phaseOf(s.word) != slotLeased || whoOf(s.word) != q.who {",
		to:      "\t\tif phaseOf(s.word) != slotLeased {",
		promise: "nobody acknowledges another process's lease",
		pkg:     "./internal/engine", run: "TestQueueOthersLease$",
	},
	{
		file:    "internal/engine/queue_get.go",
		from:    "\t\tif phaseOf(s) != slotLeased || whoOf(s) != q.who {",
		to:      "\t\tif phaseOf(s) != slotLeased {",
		promise: "nobody gives back another process's lease",
		pkg:     "./internal/engine", run: "TestQueueOthersLease$",
	},
	{
		file: "internal/engine/queue_get.go",
		from: `			setPending(q.state)
			q.items`,
		to:      "\t\t\tq.items",
		promise: "a message given back is delivered again",
		pkg:     "./internal/engine", run: "TestQueueAckNack$",
	},
	{
		file: "internal/engine/queue_get.go",
		from: `			setPending(q.state)
			q.items.Ring(1)
`,
		to: `			setPending(q.state)
`,
		promise: "a call that waits is told of a message given back",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
	{
		file: "internal/engine/queue_get.go",
		from: `			to = slotWord(turnOf(s.word), slotDraining, q.who)
`,
		to:      "",
		promise: "a message acknowledged is not another's slot before its blocks are free",
		pkg:     "./internal/engine", run: "TestSimQueueDiesAnywhere$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_get.go",
		from: `		q.passItems() // it may have been woken as well
`,
		to:      "",
		promise: "a consumer that gives up passes its wake-up on",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
	{
		file: "internal/engine/queue_get.go",
		from: `	if q.items.Armed() {
		q.passItems()
	}
	if lease`,
		to:      "\tif lease",
		promise: "a consumer that takes one message passes the wake-up on for the next",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
	{
		file: "internal/engine/queue_get.go",
		from: `	if err == nil {
		q.passOn(false)
	}
`,
		to:      "",
		promise: "and so does one that tries",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
	{
		file: "internal/engine/queue_get.go",
		from: `	if lease && q.space.Armed() {
		q.passLeased()
	}
`,
		to:      "",
		promise: "a lease that makes room is told to producers",
		pkg:     "./internal/engine", run: "TestQueueLeaseMakesRoom$",
	},
	{
		file:    "internal/engine/queue_join.go",
		from:    "if d := ahead(s, t); d == 0 && (phaseOf(s) == slotEmpty || phaseOf(s) == slotSealed) || undone(s, d) {",
		to:      "if d := ahead(s, t); d < 9 {",
		promise: "Join does not end when a message came and was gotten while it looked (J4)",
		pkg:     "./internal/engine", run: "TestSimQueueJoin$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_join.go",
		from: `		if q.anyHeld() { // J2
			return busy
		}
		for i := range q.rows.n {
			if mem.Load64(q.rows.at(i))&rowCount != 0 { // J3
				return busy
			}
		}
`,
		to: `		for i := range q.rows.n {
			if mem.Load64(q.rows.at(i))&rowCount != 0 { // J3
				return busy
			}
		}
		if q.anyHeld() { // J2
			return busy
		}
`,
		promise: "Join looks at slots before rows: a message moves from the one to the other",
		pkg:     "./internal/engine", run: "TestSimQueueJoinBesideTheBusy$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_join.go",
		from: `			if v&rowCount == 1 && q.idle.Armed() {
				q.tellRest()
			}
`,
		to:      "",
		promise: "the last TaskDone tells Join",
		pkg:     "./internal/engine", run: "TestQueueJoinIsToldOfARest$",
	},
	{
		file: "internal/engine/queue_join.go",
		from: `		mem.CAS64(q.row, v, epoch) // our first
`,
		to: `		mem.CAS64(q.row, v, epoch|v&rowCount) // our first
`,
		promise: "what a predecessor at the index had got is not this process's",
		pkg:     "./internal/engine", run: "TestQueueRowOfAnOlderEpoch$",
	},
	{
		file:    "internal/engine/queue_join.go",
		from:    "\t\tif (v^epoch)>>rowBits != 0 || v&rowCount == 0 {",
		to:      "\t\tif v&rowCount == 0 && epoch != 1 {",
		promise: "TaskDone counts no predecessor's messages",
		pkg:     "./internal/engine", run: "TestQueueRowOfAnOlderEpoch$",
	},
	{
		file:    "internal/engine/queue_join.go",
		from:    "\t\tif uint32(mem.Load64(q.rests)) != began || q.restNow() == atRest {",
		to:      "\t\tif began == 1<<31 || q.restNow() == atRest {",
		promise: "Join ends though messages come again before it looks",
		pkg:     "./internal/engine", run: "TestQueueJoinIsToldOfARest$",
	},
	{
		file: "internal/engine/queue_join.go",
		from: `	q.idle.Ring(-1) // messages come and go, or joiners do: let them look
`,
		to:      "",
		promise: "a joiner is woken though others begin all the time",
		pkg:     "./internal/engine", run: "TestSimQueueJoinBesideJoins$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_get.go",
		from: `	q.space.Ring(wakes)
	if mem.Load64(q.state)`,
		to:      "\tif mem.Load64(q.state)",
		promise: "a slot that becomes free is told to producers",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
}
