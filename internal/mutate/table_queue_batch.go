package main

// How PutRun claims, walks where that must be, fills and publishes, one message after the
// other; and how it would claim and fill all first.
const (
	putRunClaims = `	pos := q.tail.load()
	for ; k < n; k++ {
		src := unsafe.Add(src, uintptr(k)*size)
		if size == wordBytes {
			word = *(*uint64)(src)
		} else {
			mem.CopyShort(unsafe.Pointer(&long), src, size)
		}
		if mem.Load64(q.state)&stateShut != 0 {
			err = ErrShutdown
			break
		}
		p, empty := q.slot(posSlot(pos)), slotWord(lapTurn(pos), slotEmpty, 0)
		s := Slot{p, slotWord(lapTurn(pos), slotWriting, q.who)}
		if mem.Load64(s.w()) == empty && mem.CAS64(s.w(), empty, s.word) { // H1
			if q.inside(pos) {
				pos++
				q.tail.set(pos)
			} else {
				q.reachedEdge(&q.tail, pos)
				pos = q.next(pos)
			}
			if q.gone() {
				err = ErrGone
				break
			}
			q.raceAcquire(s)
		} else {
`
	putRunWalks = `			if s, err = q.walkAndClaim(false); err != nil {
				break
			}
`
	putRunFills = `			pos = q.tail.load()
		}
		if size == wordBytes {
			mem.CopyWord(q.Body(s), unsafe.Pointer(&word))
		} else {
			mem.CopyShort(q.Body(s), unsafe.Pointer(&long), size)
		}
		q.first(s)
		q.raceRelease(s)
`
	putRunPublishes = `		mem.Release64(s.w(), slotWord(turnOf(s.word), slotFull, 0)) // P3
		last = s
	}
`
	putRunKeeps = `		run[k], last = s, s
	}
`
)

// Batches, and what stores in place of CASes need.
var queueBatchMutations = []mutation{
	{
		file:    "internal/engine/queue_batch.go",
		from:    "\t\tq.items.Ring(k) // P4\n",
		to:      "",
		promise: "B3: consumers are told of a batch",
		pkg:     "./internal/engine", run: "TestQueueBatchRings$",
	},
	{
		file:    "internal/engine/queue_batch.go",
		from:    "\t\tif q.items.Armed() {\n\t\t\tq.passItems()\n\t\t}\n",
		to:      "",
		promise: "a consumer that has taken a run passes its wake-up on if there is more",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
	{
		file:    "internal/engine/queue_batch.go",
		from:    "\tq.gotMany(uint64(r.n)) // G3\n\tpos",
		to:      "\tdefer q.gotMany(uint64(r.n)) // G3\n\tpos",
		promise: "B5: a run enters the row before its slots are released",
		pkg:     "./internal/engine", run: "TestSimQueueJoin$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_batch.go",
		from:    "	if mem.Load64(q.state)&statePending != 0 {\n		return r\n	}\n",
		to:      "",
		promise: "a message that was given back comes before a run",
		pkg:     "./ring", run: "TestBatchTakesWhatWasReturned$",
	},
	{
		file:    "ring/batch.go",
		from:    "			if err == ErrEmpty || err == io.EOF {\n				break\n			}\n",
		to:      "			if err == nil || err == ErrEmpty || err == io.EOF {\n				break\n			}\n",
		promise: "a batch goes on behind a message that was given back",
		pkg:     "./ring", run: "TestBatchTakesWhatWasReturned$",
	},
	{
		file:    "internal/engine/queue_batch.go",
		from:    "!q.fixed || size > runBytes",
		to:      "!q.fixed",
		promise: "what is too long for a batch's buffer is refused",
		pkg:     "./internal/engine", run: "TestQueueRunsOfEachLength$",
	},
	{
		file:    "internal/engine/queue_batch.go",
		from:    "\t\tif to != 0 {\n",
		to:      "\t\tif true {\n",
		promise: "a reading that leaves a slot 0 does not end in zeroes",
		pkg:     "./internal/engine", run: "TestQueueRunInZeroes$",
	},
	{
		file:    "internal/engine/queue_store.go",
		from:    "\tcase slotEmpty, slotWriting, slotSealed:\n",
		to:      "\tcase slotEmpty, slotWriting, slotSealed, slotFull:\n",
		promise: "a message stored in zeroes is not taken for the release before it",
		pkg:     "./internal/engine", run: "TestQueueRunBeforeZeroes$",
	},
	{
		file:    "internal/engine/queue_store.go",
		from:    "\tif turnOf(w) != turnOf(s.word) {\n",
		to:      "\tif turnOf(w)+1 < turnOf(s.word) {\n",
		promise: "a message stored in zeroes is not taken for that of another lap",
		pkg:     "./internal/engine", run: "TestQueueRunBeforeZeroes$",
	},
	{
		file:    "internal/engine/queue_room.go",
		from:    "\t\t\tif q.gone() {",
		to:      "\t\t\tif false {",
		promise: "nothing is stepped over in zeroes",
		pkg:     "./internal/engine", run: "TestQueueStepsOverNothingInZeroes$",
	},
	{
		file:    "ring/batch.go",
		from:    "if k > 0 && q.closed.Load() && q.inZeroes(last) {",
		to:      "if k > 0 && false && q.inZeroes(last) {",
		promise: "PutBatch counts no message that went into zeroes",
		pkg:     "./ring", run: "TestSimCloseQueue$", tags: "tandem_sim",
	},
	{
		file:    "ring/batch.go",
		from:    "\t\tif q.closed.Load() {\n\t\t\tfor",
		to:      "\t\tif false {\n\t\t\tfor",
		promise: "GetBatch counts no message that was released in zeroes",
		pkg:     "./ring", run: "TestSimCloseQueue$", tags: "tandem_sim",
	},
	{
		file:    "ring/batch.go",
		from:    "\t\t\tfor i := range k {\n",
		to:      "\t\t\tfor i := range min(k, 1) {\n",
		promise: "GetBatch asks of each message where it was released",
		pkg:     "./ring", run: "TestSimCloseQueue$", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_batch.go",
		from:    "\tif k > 0 {\n\t\tq.fence()",
		to:      "\tif k > 0 && err == nil {\n\t\tq.fence()",
		promise: "a batch that ends early tells consumers of what it has put",
		pkg:     "./ring", run: "TestSimBatchThatEndsEarlyIsTold$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_batch.go",
		from: putRunClaims + putRunWalks + putRunFills + putRunPublishes,
		to: "	var run [RunMost]Slot\n" + putRunClaims + `			for s, err = q.walkAndClaim(false); err == ErrFull; s, err = q.walkAndClaim(false) {
				mem.Yield()
			}
			if err != nil {
				break
			}
` + putRunFills + putRunKeeps + `	for _, s := range run[:k] {
		mem.Release64(s.w(), slotWord(turnOf(s.word), slotFull, 0))
	}
`,
		promise: "B1: a batch does not wait for room with claims held",
		pkg:     "./internal/engine", run: "TestSimQueueExhaust$/^brg_", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_batch.go",
		from: putRunClaims + putRunWalks + putRunFills + putRunPublishes,
		to: "	var run [RunMost]Slot\n" + putRunClaims + putRunWalks + putRunFills + putRunKeeps + `	for i := range k {
		s := run[k-1-i]
		mem.Release64(s.w(), slotWord(turnOf(s.word), slotFull, 0))
	}
`,
		promise: "B2: a batch is published in the order of its positions",
		pkg:     "./internal/engine", run: "TestSimQueueExhaust$/^br_", tags: "tandem_sim",
	},
	{
		file: "internal/engine/queue_batch.go",
		from: "		if mem.Load64(s.w()) != full || !mem.CAS64(s.w(), full, s.word) { // H1\n",
		to: `		for r.n > 0 && mem.Load64(s.w()) != full {
			mem.Yield()
		}
		if mem.Load64(s.w()) != full || !mem.CAS64(s.w(), full, s.word) {
`,
		promise: "B4: a run does not wait for more with messages in its hands",
		pkg:     "./internal/engine", run: "TestSimQueueExhaust$/^br_", tags: "tandem_sim",
	},
	{
		file:    "internal/engine/queue_batch.go",
		from:    "	n = min(n, RunMost)\n	var word",
		to:      "	var word",
		promise: "consumers are told of the first messages of a long batch before its end",
		pkg:     "./ring", run: "TestSimLongBatchIsTold$", tags: "tandem_sim",
	},
}
