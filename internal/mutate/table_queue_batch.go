package main

// Batches, and what stores in place of CASes need.
var queueBatchMutations = []mutation{
	{
		file:    "internal/engine/queue_batch.go",
		from:    "\tq.items.Ring(n) // P4\n",
		to:      "",
		promise: "B3: consumers are told of a batch",
		pkg:     "./internal/engine", run: "TestQueueBatchRings$",
	},
	{
		file:    "internal/engine/queue_batch.go",
		from:    "\tif q.items.Armed() {\n\t\tq.passItems()\n\t}\n",
		to:      "",
		promise: "a consumer that has taken a run passes its wake-up on if there is more",
		pkg:     "./internal/engine", run: "TestQueueWakesWhoWaits$",
	},
	{
		file:    "internal/engine/queue_batch.go",
		from:    "\tq.gotMany(uint64(len(run))) // G3\n\tfor",
		to:      "\tdefer q.gotMany(uint64(len(run))) // G3\n\tfor",
		promise: "B5: a run enters the row before its slots are released",
		pkg:     "./internal/engine", run: "TestSimQueueJoin$", tags: "tandem_sim",
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
		from:    "\t\tif q.closed.Load() && q.inZeroes(s) {\n",
		to:      "\t\tif false && q.inZeroes(s) {\n",
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
		from:    "\t\t\tfor i, s := range run[:k] {\n",
		to:      "\t\t\tfor i, s := range run[:min(k, 1)] {\n",
		promise: "GetBatch asks of each message where it was released",
		pkg:     "./ring", run: "TestSimCloseQueue$", tags: "tandem_sim",
	},
	{
		file:    "ring/batch.go",
		from:    "\tif n > told {\n\t\tq.eng.Stored(n - told)\n\t}\n",
		to:      "\tif n > told && err == nil {\n\t\tq.eng.Stored(n - told)\n\t}\n",
		promise: "a batch that ends early tells consumers of what it has put",
		pkg:     "./ring", run: "TestSimBatchThatEndsEarlyIsTold$", tags: "tandem_sim",
	},
	{
		file:    "ring/batch.go",
		from:    "\t\tif n++; n-told == putRun {\n",
		to:      "\t\tif n++; n-told == 1<<30 {\n",
		promise: "consumers are told of the first messages of a long batch before its end",
		pkg:     "./ring", run: "TestSimLongBatchIsTold$", tags: "tandem_sim",
	},
}
