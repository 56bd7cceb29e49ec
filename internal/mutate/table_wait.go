package main

// How one waits: the alarm of a sleeper, and spinning.
var waitMutations = []mutation{
	{
		file: "internal/wait/waiter.go",
		from: `	atomic.AddUint32(w.nudge, 1)
	if sys.HaveWaitv() {
`,
		to: `	defer atomic.AddUint32(w.nudge, 1)
	if sys.HaveWaitv() {
`,
		promise: "A2 before A3: who goes to sleep as it is alarmed finds its nudge word changed",
		pkg:     "./internal/wait", run: "TestNudgeWordChangesBeforeTheWake$",
	},
	{
		file: "internal/wait/waiter.go",
		from: `	atomic.AddUint32(w.nudge, 1)
	if sys.HaveWaitv() {
`,
		to: `	defer atomic.AddUint32(w.nudge, 1)
	if sys.HaveWaitv() {
`,
		promise: "A2 before A3, without futex_waitv",
		pkg:     "./internal/wait", run: "TestNudgeWordChangesBeforeTheKnock$",
		env: []string{"TANDEM_FORCE=nowaitv"},
	},
	{
		file: "internal/wait/waiter.go",
		from: `	nudge := atomic.LoadUint32(w.nudge) // S1
	if w.list.Closed() {
		return ErrClosed
	}
	if err := w.ended(); err != nil {
		return err
	}
`,
		to: `	if w.list.Closed() {
		return ErrClosed
	}
	if err := w.ended(); err != nil {
		return err
	}
	nudge := atomic.LoadUint32(w.nudge) // S1
`,
		promise: "S1 before S2: an alarm after the look is not lost",
		pkg:     "./internal/wait", run: "TestContextEndsAfterTheLook$",
	},
	{
		file:    "internal/wait/insist.go",
		from:    `	for atomic.LoadUint32(w.nudge) == nudge {`,
		to:      `	for ; true || atomic.LoadUint32(w.nudge) == nudge; {`,
		promise: "S2a: without futex_waitv an alarm before one lies down is not lost",
		pkg:     "./internal/wait", run: "TestContextEndsAfterTheLook$",
		env: []string{"TANDEM_FORCE=nowaitv"},
	},
	{
		file:    "internal/wait/spin.go",
		from:    ` || w.ctxErr() != nil || `,
		to:      ` || `,
		promise: "the end of its context ends a spin of mode Spin",
		pkg:     "./internal/wait", run: "TestSpinModeHears$",
	},
	{
		file:    "internal/wait/spin.go",
		from:    `	if nudged || w.list.Closed() || `,
		to:      `	if nudged || `,
		promise: "Close ends a spin of mode Spin",
		pkg:     "./internal/wait", run: "TestSpinModeHears$",
	},
	{
		file:    "internal/wait/spin.go",
		from:    `	if nudged || w.list.Closed() || `,
		to:      `	if nudged && w.list.Closed() || w.list.Closed() || `,
		promise: "a nudge ends a spin of mode Spin",
		pkg:     "./internal/wait", run: "TestSpinModeHears$",
	},
	{
		file:    "internal/wait/spin.go",
		from:    ` || w.ctxErr() != nil || `,
		to:      ` || `,
		promise: "the end of its context ends a call of a queue that spins",
		pkg:     "./ring", run: "TestSpinEnds$/^Get$/context",
	},
	{
		file:    "internal/sys/membarrier_linux.go",
		from:    "{ return membarrier(membarrierRegisterGlobalExpedited) }",
		to:      "{ return membarrier(membarrierGlobalExpedited) }",
		promise: "who registers is reached",
		pkg:     "./internal/sys", run: "TestMembarrier$",
	},
	{
		file:    "internal/wait/membarrier_amd64.go",
		from:    "	return sys.Membarrier() == nil\n",
		to:      "	return true\n",
		promise: "a membarrier is a fence of others",
		pkg:     "./internal/wait", run: "TestMembarrierReachesOthers$",
		env: []string{"TANDEM_TESTS=long"},
	},
	{
		file:    "internal/sys/membarrier_linux.go",
		from:    "	if noMembarrier {\n",
		to:      "	if false && noMembarrier {\n",
		promise: "TANDEM_FORCE=nomembarrier takes it away",
		pkg:     "./internal/sys", run: "TestMembarrier$",
	},
	{
		file:    "internal/wait/membarrier_amd64.go",
		from:    "reached.Store(sys.RegisterMembarrier() == nil)",
		to:      "reached.Store(sys.RegisterMembarrier() != sys.Membarrier() || true)",
		promise: "who cannot register is not reached",
		pkg:     "./internal/wait", run: "TestMembarrier$",
	},
	{
		file:    "internal/wait/membarrier_amd64.go",
		from:    "	return sys.Membarrier() == nil\n",
		to:      "	return sys.Membarrier() == nil || true\n",
		promise: "who has no membarrier is told",
		pkg:     "./internal/wait", run: "TestMembarrier$",
	},
}
