package main

// The slots of a queue, head and tail, and room behind leases.
var queueSlotMutations = []mutation{
	{
		file:    "internal/engine/queue_slots.go",
		from:    "func (q *Queue) bound() int { return 1<<20 + 16*int(q.n) }",
		to:      "func (q *Queue) bound() int { return 256 }",
		promise: "lost races do not make a healthy queue corrupt",
		pkg:     "./internal/engine", run: "TestSimQueueClaimLosesRaces$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_walk.go",
		from:    "if w.again++; t == w.seen ||",
		to:      "if w.again++; t == w.seen || w.seen>>1 != ^uint64(0)>>1 ||",
		promise: "what consumers pass is not charged while others put",
		pkg:     "./internal/engine", run: "TestSimQueueTakeLosesRaces$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_slots.go",
		from:    "\tif mem.Load64(q.state)&stateShut != 0 {\n\t\treturn Slot{}, ErrShutdown\n\t}\n\tpos := q.tail.load()",
		to:      "\tpos := q.tail.load()",
		promise: "nothing is put after Shutdown",
		pkg:     "./internal/engine", run: "TestQueueFillAndDrain$",
	},
	{
		file:    "internal/engine/queue_slots.go",
		from:    "\t\t\tmem.CAS64((*uint64)(p), s, slotWord(turnOf(s), slotSealed, 0))\n",
		to:      "\t\t\treturn Slot{}, q.ended()\n",
		promise: "a claim that raced with Shutdown is delivered before the end",
		pkg:     "./internal/engine", run: "TestSimQueueClaimBesideShutdown$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_slots.go",
		from: `	if q.anyHeld() {
		return ErrEmpty
	}
	return io.EOF`,
		to:      "\treturn io.EOF",
		promise: "no end while a message is out",
		pkg:     "./internal/engine", run: "TestQueueStepsOverLeases$",
	},
	{
		file: "internal/engine/queue_slots.go",
		from: `	mem.CAS64(q.state, st, st&^statePending)
`,
		to: `	mem.And64(q.state, ^uint64(statePending))
`,
		promise: "what was returned during a fruitless scan is not missed",
		pkg:     "./internal/engine", run: "TestSimQueueReturnedBesideAScan$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_slots.go",
		from:    "\t\tif mem.CAS64(state, st, st+stateGen|statePending) {",
		to:      "\t\tif mem.CAS64(state, st, st|statePending) {",
		promise: "what was returned during a fruitless scan is not missed",
		pkg:     "./internal/engine", run: "TestSimQueueReturnedBesideAScan$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_room.go",
		from:    "\tk, err := q.reachable(w.p)\n\tif err != nil {",
		to:      "\tk, err := int(q.n), error(nil)\n\tif err != nil {",
		promise: "a producer that finds no room steps over nothing",
		pkg:     "./internal/engine", run: "TestQueueFullStepsOverNothing$",
	},
	{
		file:    "internal/engine/queue_room.go",
		from:    "slotWord(nextTurn(turnOf(s)), phaseOf(s), whoOf(s))",
		to:      "slotWord(nextTurn(turnOf(s)), slotLeased, whoOf(s))",
		promise: "a message given back stays to be had when it is stepped over",
		pkg:     "./internal/engine", run: "TestSimQueueStoppedGivingBack$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_slots.go",
		from: `			*n++
`,
		to:      "			_ = n\n",
		promise: "deliveries are counted",
		pkg:     "./internal/engine", run: "TestQueueAckNack$",
	},
	{
		file:    "internal/engine/queue_slots.go",
		from:    "if n := q.count(s); *n < 1<<32-2 {",
		to:      "if n := q.count(s); true {",
		promise: "the count of deliveries does not begin anew",
		pkg:     "./internal/engine", run: "TestQueueAttemptsStayAtTheirMost$",
	},
	{
		file: "internal/engine/queue_slots.go",
		from: `	case slotEmpty, slotDraining, slotSealed:
		return false
	}
	return true`,
		to: `	case slotEmpty, slotSealed:
		return false
	}
	return true`,
		promise: "a message that is only being freed is done",
		pkg:     "./internal/engine", run: "TestSimQueueStoppedDraining$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_slots.go",
		from: `	case slotEmpty, slotDraining, slotSealed:
		return false
	}
	return true`,
		to: `	case slotEmpty, slotDraining, slotSealed, slotWriting:
		return false
	}
	return true`,
		promise: "Join waits for what may become a message while it looks",
		pkg:     "./internal/engine", run: "TestSimQueueJoinBesideTheBusy$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_walk.go",
		from:    "\tcase slotReading, slotLeased, slotDraining:\n\t\treturn true",
		to:      "\tcase slotReading, slotLeased, slotDraining, slotWriting:\n\t\treturn true",
		promise: "Len and wake-ups stop at what is being written",
		pkg:     "./internal/engine", run: "TestQueueLooksPassNothingUnpublished$",
	},
	{
		file:    "internal/engine/queue_walk.go",
		from:    "\tcase d > 0:\n\t\tq.to(w, later",
		to:      "\tcase d > 1:\n\t\tq.to(w, later",
		promise: "consumers pass what others have taken",
		pkg:     "./internal/engine", run: "TestQueueLongWalks$",
	},
	{
		file:    "internal/engine/queue_slots.go",
		from:    "\t\t\tif !q.linger((*uint64)(p), s) && !q.sure(sure, &w) {",
		to:      "\t\t\tif st != 1<<40 {",
		promise: "a consumer that has seen the producer publish takes the message",
		pkg:     "./internal/engine", run: "TestSimQueueLingers$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_walk.go",
		from:    "\tcase slotReading, slotLeased, slotDraining:\n\t\treturn true",
		to:      "\tcase slotReading, slotDraining:\n\t\treturn true",
		promise: "a wake-up is passed on past leases",
		pkg:     "./internal/engine", run: "TestSimQueueSaysWhatItDoes$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_slots.go",
		from:    "func steppable(s, pos uint64) bool { return ahead(s, pos) == -1 && lasting(s) }",
		to:      "func steppable(s, pos uint64) bool { return ahead(s, pos) == -1 && (lasting(s) || phaseOf(s) == slotReading) }",
		promise: "nothing is stepped over that its owner moves by a store",
		pkg:     "./internal/engine", run: "TestSimQueue$/kills=0,stops=0", tags: "tandem_sim",
	},
}
