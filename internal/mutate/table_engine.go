package main

// Of internal/engine, but for the queue.
var engineMutations = []mutation{
	{file: "internal/engine/mutex.go",
		from: `		m.env.Wake(m.futex, 1)
		break
`,
		to: `		break
`,
		promise: "L5: who gives up passes its wake-up on",
		pkg:     "./internal/engine", run: "TestSimMutexDense$/cancelled", tags: "tandem_sim"},
}
