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
		return w.Ends(ErrClosed)
	}
	if err := w.ended(); err != nil {
		return w.Ends(err)
	}
`,
		to: `	if w.list.Closed() {
		return w.Ends(ErrClosed)
	}
	if err := w.ended(); err != nil {
		return w.Ends(err)
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
		from:    ` || err != nil || `,
		to:      ` || err != nil && false || `,
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
		from:    ` || err != nil || `,
		to:      ` || err != nil && false || `,
		promise: "the end of its context ends a call of a queue that spins",
		pkg:     "./ring", run: "TestSpinEnds$/^Get$/context",
	},
	{
		file:    "ring/spsc.go",
		from:    `spinner: wait.NewSpinner(wait.Mode(o.Wait))`,
		to:      `spinner: wait.NewSpinner(wait.Adaptive)`,
		promise: "an SPSC waits in the mode of its handle",
		pkg:     "./ring", run: "TestSpinEnds$/^SPSC.Get$/context",
	},
	{
		file:    "ring/spsc.go",
		from:    `s.core.WaiterWith(ctx, s.spinner)`,
		to:      `s.core.Waiter(ctx)`,
		promise: "and so does each of its calls",
		pkg:     "./ring", run: "TestSpinEnds$/^SPSC.PutBatch$/context",
	},
	{
		file:    "ring/broadcast.go",
		from:    `spinner: wait.NewSpinner(wait.Mode(o.Wait)), mode`,
		to:      `spinner: wait.NewSpinner(wait.Adaptive), mode`,
		promise: "a Publish waits in the mode of its handle",
		pkg:     "./ring", run: "TestSpinEnds$/^Broadcast.Publish$/context",
	},
	{
		file:    "ring/broadcast.go",
		from:    `b.core.WaiterWith(ctx, b.spinner)`,
		to:      `b.core.Waiter(ctx)`,
		promise: "also where it waits long",
		pkg:     "./ring", run: "TestSpinEnds$/^Broadcast.Publish$/context",
	},
	{
		file:    "ring/subscriber.go",
		from:    `wait.NewSpinner(l.mode)`,
		to:      `wait.NewSpinner(wait.Adaptive)`,
		promise: "a subscriber waits in the mode of its broadcast",
		pkg:     "./ring", run: "TestSpinEnds$/^Subscriber.Next$/context",
	},
	{
		file:    "ring/subscriber.go",
		from:    `s.core.WaiterWith(ctx, s.spinner)`,
		to:      `s.core.Waiter(ctx)`,
		promise: "and so does its Next",
		pkg:     "./ring", run: "TestSpinEnds$/^Subscriber.Next$/context",
	},
	{
		file:    "internal/sys/membarrier_linux.go",
		from:    "\treturn membarrier(membarrierRegisterGlobalExpedited)",
		to:      "\treturn membarrier(membarrierGlobalExpedited)",
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
	{
		file: "internal/wait/spin.go", from: `	n := min(1+p.paused/8, mem.PerMicro)`, to: `	n := mem.PerMicro`,
		promise: "the first looks are near", pkg: "./internal/wait", run: "TestLooksGrowApart$",
	},
	{
		file: "internal/wait/spin.go", from: `	n := min(1+p.paused/8, mem.PerMicro)`, to: `	n := 1`,
		promise: "the later looks are further apart", pkg: "./internal/wait", run: "TestLooksGrowApart$",
	},
	{
		file: "internal/wait/spin.go", from: `	n := min(1+p.paused/8, mem.PerMicro)`, to: `	n := 1 + p.paused/8`,
		promise: "looks are a microsecond apart at most", pkg: "./internal/wait", run: "TestLooksGrowApart$",
	},
	{
		file: "internal/wait/spin.go", from: `	if w.place == placeNone {
		return
	}
	l := w.list
`, to: `	l := w.list
`,
		promise: "a wait that spinning ends does not take the list's lock", pkg: "./internal/wait", run: "TestSpinTakesNoLock$",
	},
	{
		file: "internal/wait/pool.go", from: `	if r := &free.ready[i]; r.Load() != nil {`, to: `	if r := &free.ready[i]; false {`,
		promise: "a waiter is taken without a lock", pkg: "./internal/wait", run: "TestSpinTakesNoLock$",
	},
	{
		file: "internal/wait/pool.go", from: `r.Load() == nil && `, to: `false && `,
		promise: "a waiter is given back without a lock", pkg: "./internal/wait", run: "TestSpinTakesNoLock$",
	},
	{
		file: "internal/wait/spin.go", from: `	case crowded || first:`, to: `	case first:`,
		promise: "who spins yields, where as many spin as may run", pkg: "./internal/wait", run: "TestCrowdYields$",
	},
	{
		file: "internal/wait/spin.go", from: `	p := &w.spin
	p.leave()
	switch silent := p.of.all && p.few.are; {
`, to: `	p := &w.spin
	switch silent := p.of.all && p.few.are; {
`,
		promise: "whose wait is over is not among those who spin", pkg: "./internal/wait", run: "TestCrowdYields$",
	},
	{
		file: "internal/wait/spin.go", from: `	p.leave()
	if p.budget > 0 && p.tells {
`, to: `	if p.budget > 0 && p.tells {
`,
		promise: "who sleeps is not among those who spin", pkg: "./internal/wait", run: "TestSleeperLeavesTheCrowd$",
	},
	{
		file: "internal/wait/spin.go", from: `s.Mode() != Sleep && `, to: ``,
		promise: "in mode Sleep nobody lets time pass by spinning", pkg: "./internal/wait", run: "TestLulls$",
	},
	{
		file: "internal/wait/spin.go", from: ` && (!processors.one.Load() || s.vain.Load() < vainMost/4)`, to: ``,
		promise: "on one processor nobody lets time pass where spinning was in vain", pkg: "./internal/wait", run: "TestLulls$",
	},
	{
		file: "internal/wait/spin.go", from: `s.Mode() == Sleep || s.vain.Load() >= vainMost/4 {`, to: `s.Mode() == Sleep {`,
		promise: "nobody looks before it has a waiter where that was in vain", pkg: "./internal/wait", run: "TestLulls$",
	},
	{
		file: "internal/wait/few.go", from: `		sys.Yield()
`, to: ``,
		promise: "who spins on its only processor yields it to others", pkg: "./internal/wait", run: "TestSpinPassesItsProcessor$",
	},
	{
		file: "internal/wait/spin.go", from: `p.few = few{are: true, last: now, seen: p.few.seen}`, to: `p.few = few{}`,
		promise: "who spins on its only processor gives it away", pkg: "./internal/wait", run: "TestSpinnerSharesItsProcessor$",
	},
	{
		file: "internal/wait/spin.go", from: "ok || !silent {\n\t\t\tp.of.observe(ok)", to: "ok || !silent {\n\t\t\tp.of.observe(true)",
		promise: "what is there when the processor comes back was not seen by spinning", pkg: "./internal/wait", run: "TestSpinnerSharesItsProcessor$",
	},
	{
		file: "internal/wait/spin.go", from: `		p.few.gone, p.few.sure = p.paused, true // what`, to: `		// what`,
		promise: "what is there when one has looked up was not seen by spinning", pkg: "./internal/wait", run: "TestSpinnerSharesItsProcessor$",
	},
	{
		file: "internal/wait/spin.go", from: `silent := p.of.all && p.few.are`, to: `silent := p.of.all`,
		promise: "also of who spins for many, if he has more processors", pkg: "./internal/wait", run: "TestSpinnerSharesItsProcessor$",
	},
	{
		file: "internal/wait/spin.go", from: `crowded || first`, to: `crowded || first && false`,
		promise: "what was made runnable before the wait runs", pkg: "./internal/wait", run: "TestSpinLetsOthersRun$",
	},
	{
		file: "internal/wait/spin.go", from: `p.paid(); ok || !silent`, to: `p.paid(); true`,
		promise: "of who spins for many it says nothing", pkg: "./internal/wait", run: "TestSpinnerSharesItsProcessor$",
	},
	{
		file: "internal/wait/spin.go", from: `		p.of.observe(true)
		p.start = sys.MonotonicNow()`, to: `		p.start = sys.MonotonicNow()`,
		promise: "a spin that paid for another paid", pkg: "./internal/wait", run: "TestSpinsForOthers$",
	},
	{
		file: "internal/wait/spin.go", from: `p.start, p.checks = since, since+int64(spinCheck)`, to: `_ = since`,
		promise: "a spin counts from when another began it", pkg: "./internal/wait", run: "TestSpinsForOthers$",
	},
	{
		file: "internal/wait/few.go", from: `f.gone > 0 && f.gone == p.paused`, to: `f.gone > 0`,
		promise: "what comes later was", pkg: "./internal/wait", run: "TestSpinnerSharesItsProcessor$",
	},
	{
		file: "internal/wait/few.go", from: `	if now-f.last > int64(fewTaken) {
		f.gone, f.sure = p.paused, true
	}
`, to: ``,
		promise: "nor was what is there when it has been taken away", pkg: "./internal/wait", run: "TestSpinnerWhoseProcessorWasTaken$",
	},
	{
		file: "internal/wait/few.go", from: `took <= int64(spinCheck) || p.budget > int64(spinMost)`, to: `took >= 0`,
		promise: "who waits long for its processor sleeps", pkg: "./internal/wait", run: "TestSpinnerThatWaitsForItsProcessor$",
	},
	{
		file: "internal/wait/few.go", from: `min(2*(f.last-now), int64(spinCheck))`, to: `0`,
		promise: "a yield that takes long is rare", pkg: "./internal/wait", run: "TestSharingThatTakesLongIsRare$",
	},
	{
		file: "internal/wait/few.go", from: `less && n < fewRare && processors.one.Load()`, to: `false`,
		promise: "a spin that never pays is tried ever less often", pkg: "./internal/wait", run: "TestSpinnerOfOneProcessor$",
	},
	{
		file: "internal/engine/bell.go", from: `n%doneEvery != 0 && `, to: ``,
		promise: "who spins looks now and then at all that he waits for", pkg: "./internal/engine", run: "TestSpinLooksAtAll$",
	},
	{
		file: "internal/engine/queue_lull.go", from: `	case came < 2: // gone
`, to: ``,
		promise: "a lull goes when one has come", pkg: "./internal/engine", run: "TestLullFollowsTheRuns$",
	},
	{
		file: "internal/engine/queue_lull.go", from: `	case came < was*lullSeveral:
		micros = was / 2
`, to: ``,
		promise: "a lull shrinks while few come", pkg: "./internal/engine", run: "TestLullFollowsTheRuns$",
	},
	{
		file: "internal/engine/queue_lull.go", from: `came >= lullSeveral || a.due()`, to: `a.due()`,
		promise: "a lull is tried at once where several came", pkg: "./internal/engine", run: "TestLullFollowsTheRuns$",
	},
	{
		file: "internal/engine/queue_lull.go", from: `		a.every.Store(0)
		a.left.Store(0)
`, to: ``,
		promise: "what has paid is tried again at once", pkg: "./internal/engine", run: "TestLullFollowsTheRuns$",
	},
	{
		file: "internal/engine/queue_lull.go", from: `min(lullMost, n/(4*lullSeveral))`, to: `uint32(lullMost)`,
		promise: "no lull is so long that the others stand still", pkg: "./internal/engine", run: "TestLullOfSmallRings$",
	},
	{
		file: "internal/engine/queue_lull.go", from: `	every := min(2*a.every.Load()+1, lullRare)`, to: `	every := uint32(1)`,
		promise: "what does not pay is tried seldom", pkg: "./internal/engine", run: "TestLoneMessagesMeetNoLull$",
	},
	{
		file: "internal/engine/queue_lull.go", from: `; ok && s.Lulls() {`, to: `; ok && (s.Lulls() || true) {`,
		promise: "who does not spin has no lull", pkg: "./internal/engine", run: "TestLullIsTheSleepers$",
	},
	{
		file: "internal/engine/queue_lull.go", from: `	if from == p+1 {`, to: `	if false {`,
		promise: "a look is counted once", pkg: "./internal/engine", run: "TestLullCountsALookOnce$",
	},
	{
		file: "internal/engine/queue_lull.go", from: `	if lulls && q.letPass(&q.gets, at) {`, to: `	if false {`,
		promise: "a lull comes before the looks", pkg: "./internal/engine", run: "TestQueueSoon$",
	},
	{
		file: "internal/engine/bell.go", from: `	for {
		for n := 1; s.Spin(); n++ {`, to: `	for {
		b.Arm()
		for n := 1; s.Spin(); n++ {`,
		promise: "no bell is armed while one spins", pkg: "./internal/engine", run: "TestSpinWritesNothing$",
	},
	{
		file: "internal/engine/bell.go", from: `	var z sliced
	for {`, to: `	var z sliced
	if o.waits != nil {
		mem.Add64(o.waits, 1)
	}
	for {`,
		promise: "nor is that wait counted", pkg: "./internal/engine", run: "TestSpinWritesNothing$",
	},
	{
		file: "internal/engine/ledger.go", from: `		if s.Spin() {`, to: `		l.Bell.Arm()
		if s.Spin() {`,
		promise: "nor a semaphore's bell", pkg: "./internal/engine", run: "TestSpinWritesNothing$/semaphore",
	},
	{
		file: "internal/engine/mutex.go", from: `		if s.Spin() {`, to: `		mem.CAS64(m.w, w, w|mutexWaiters)
		if s.Spin() {`,
		promise: "L2 comes after the spin", pkg: "./internal/engine", run: "TestSpinWritesNothing$/^mutex$",
	},
	{
		file: "internal/engine/rwmutex.go", from: `		if s.Spin() {`, to: `		l.drain.Arm()
		if s.Spin() {`,
		promise: "a writer that waits for readers spins before it arms", pkg: "./internal/engine", run: "TestSpinWritesNothing$/rwmutex",
	},
	{
		file: "internal/engine/rwmutex_read.go", from: `		if s.Spin() {`, to: `		l.gate.Arm()
		if s.Spin() {`,
		promise: "and a reader that waits for a writer", pkg: "./internal/engine", run: "TestSpinWritesNothing$/rwmutex",
	},
}
