package main

// Of sync, but for what its calls do when the region is closed.
var syncMutations = []mutation{
	{file: "sync/holder.go",
		from:    "if d == 0 || !h.mu.Mine() {",
		to:      "if d == 0 {",
		promise: "who lost the lock to an operator does not go on as if it had it",
		pkg:     "./sync", run: "TestHolderLost$"},
	{file: "sync/holder.go",
		from:    "return false, d != 0",
		to:      "return false, false",
		promise: "who lost the lock to an operator is told so",
		pkg:     "./sync", run: "TestHolderLost$", args: []string{"-timeout=15s"}},
	{file: "sync/holder.go",
		from: "return 0, h.own.holder.CompareAndSwap(h, nil)",
		to: `h.own.holder.CompareAndSwap(h, nil)
		return 0, true`,
		promise: "who lost the lock does not free it for the holder that has it now",
		pkg:     "./sync", run: "TestHolderLostToAnother$"},
	{file: "sync/holder.go",
		from: `h.own.holder.CompareAndSwap(h, nil)
	mem.RaceEnable()
	return d`,
		to: `mem.RaceEnable()
	return d`,
		promise: "who waits has given the lock up",
		pkg:     "./sync", run: "TestCondGrip$"},
	{file: "sync/holder.go",
		from:    "suspect = h.mu.Abandoned()",
		to:      "suspect = false",
		promise: "Recover of one's own lock says whether it is suspect",
		pkg:     "./sync", run: "TestRMutexInProcesses$"},
	{file: "sync/holder.go",
		from:    "if h.deep() == 0 {",
		to:      "if false {",
		promise: "only the holder says that it is consistent",
		pkg:     "./sync", run: "TestRMutex$"},
	{file: "sync/holder.go",
		from:    "err == ErrNotLocked {",
		to:      "err == nil {",
		promise: "Unlock of what was lost is ErrNotOwner",
		pkg:     "./sync", run: "TestHolderLost$"},
	{file: "sync/holder.go",
		from:    "if mem.RaceEnabled || h.core == nil || ctx.Err() != nil || !h.lockNow() {",
		to:      "if mem.RaceEnabled || h.core == nil || !h.lockNow() {",
		promise: "a context that has ended makes no attempt",
		pkg:     "./sync", run: "TestRMutexContextEnds$"},
	{file: "sync/repair.go",
		from:    "if err != nil || !suspect ||",
		to:      "if _ = suspect; err != nil ||",
		promise: "what another has repaired is not repaired again",
		pkg:     "./sync", run: "TestOnOwnerDied$"},
	{file: "sync/repair.go",
		from:    "if err != nil || !suspect ||",
		to:      "if _ = suspect; err != nil ||",
		promise: "what another has repaired is not repaired again, by readers and writers",
		pkg:     "./sync", run: "TestRWMutexOnOwnerDied$"},
	{file: "sync/repair.go",
		from:    "if held { // repair failed",
		to:      "if held && false { // repair failed",
		promise: "a repair that fails leaves the lock free",
		pkg:     "./sync", run: "TestOnOwnerDied$", args: []string{"-timeout=15s"}},
	{file: "sync/repair.go",
		from: `	if err := mu.MarkConsistent(); err != nil {
		return err
	}
`,
		to:      "",
		promise: "a repair that succeeds makes it consistent",
		pkg:     "./sync", run: "TestOnOwnerDied$"},
	{file: "sync/repair.go",
		from:    `return fmt.Errorf("%w; the repair failed: %w", engine.ErrOwnerDied, err)`,
		to:      `return fmt.Errorf("the repair failed: %w", err)`,
		promise: "a repair that fails is ErrOwnerDied, too",
		pkg:     "./sync", run: "TestOnOwnerDied$"},
	{file: "sync/lock.go",
		from:    "err = errors.Join(err, e)",
		to:      "_ = errors.Join",
		promise: "With says that Unlock failed, too",
		pkg:     "./sync", run: "TestWith$"},
	{file: "sync/mutex.go",
		from:    "if m.core == nil || ctx.Err() != nil || !m.mu.LockNow() {",
		to:      "if m.core == nil || !m.mu.LockNow() {",
		promise: "a context that has ended makes no attempt",
		pkg:     "./sync", run: "TestMutexContextEnds$", args: []string{"-timeout=15s"}},
	{file: "sync/mutex.go",
		from:    "ok = err != errBusy",
		to:      "ok = true",
		promise: "TryLock while another repairs is false, and no error",
		pkg:     "./sync", run: "TestOnOwnerDied$"},
	{file: "sync/rwmutex.go",
		from:    "if m.core == nil || ctx.Err() != nil || !m.rw.LockNow() {",
		to:      "if m.core == nil || !m.rw.LockNow() {",
		promise: "a context that has ended makes no attempt to write",
		pkg:     "./sync", run: "TestRWMutexContextEnds$", args: []string{"-timeout=15s"}},
	{file: "sync/rwmutex.go",
		from:    "if m.core == nil || ctx.Err() != nil || !m.rw.RLockNow() {",
		to:      "if m.core == nil || !m.rw.RLockNow() {",
		promise: "a context that has ended makes no attempt to read",
		pkg:     "./sync", run: "TestRWMutexContextEnds$", args: []string{"-timeout=15s"}},
	{file: "sync/rwmutex.go",
		from: `	m.release()
	return m.rw.Unlock()
}`,
		to: `	m.release()
	return nil
}`,
		promise: "a reader that has repaired does not write any more",
		pkg:     "./sync", run: "TestRWMutexOnOwnerDied$", args: []string{"-timeout=15s"}},
	{file: "sync/rwmutex.go",
		from: `			if err = m.mend(ctx, w); err != nil {
				break
			}
`,
		to: `			err = m.mend(ctx, w)
			break
`,
		promise: "a reader that has repaired reads",
		pkg:     "./sync", run: "TestRWMutexOnOwnerDied$"},
	{file: "sync/rwmutex.go",
		from: `ok, err = m.rw.TryRLock()
			}`,
		to: `ok = true
			}`,
		promise: "TryRLock that has repaired reads",
		pkg:     "./sync", run: "TestRWMutexOnOwnerDied$"},
	{file: "sync/rwmutex.go",
		from:    "if ok || err != nil && err != errBusy ||",
		to:      "if ok || err != nil ||",
		promise: "an attempt while another repairs is false, and no error",
		pkg:     "./sync", run: "TestRWMutexOnOwnerDied$"},
	{file: "sync/semaphore.go",
		from:    "if mem.RaceEnabled || p.core == nil || ctx.Err() != nil || !p.sem.AcquireNow()",
		to:      "if mem.RaceEnabled || p.core == nil || !p.sem.AcquireNow()",
		promise: "a context that has ended makes no attempt",
		pkg:     "./sync", run: "TestSemaphoreContextEnds$", args: []string{"-timeout=15s"}},
	{file: "sync/semaphore.go",
		from:    "case n < 1:",
		to:      "case n < 0:",
		promise: "Release of none is an error",
		pkg:     "./sync", run: "TestSemaphoreRelease$"},
	{file: "sync/semaphore.go",
		from:    "p.bounded = kind == engine.KindBoundedSemaphore",
		to:      "p.bounded = false",
		promise: "a bounded semaphore has a bound",
		pkg:     "./sync", run: "TestSemaphoreRelease$"},
	{file: "sync/once.go",
		from: `	success := false
`,
		to: `	success := true
`,
		promise: "an fn that panics has not done it",
		pkg:     "./sync", run: "TestOnceUnfinished$"},
	{file: "sync/once.go",
		from:    "success = failure == nil",
		to:      "success = true",
		promise: "an fn that fails has not done it",
		pkg:     "./sync", run: "TestOnce$"},
	{file: "sync/once.go",
		from: `	if failure != nil {
		return failure
	}
`,
		to: `	_ = failure
`,
		promise: "an fn's error is returned as it is",
		pkg:     "./sync", run: "TestOnce$"},
	{file: "sync/barrier.go",
		from: `	if !b.core.Closed.Load() {
		b.eng.Abort()
	}
	return fmt`,
		to:      "\treturn fmt",
		promise: "a Wait whose context has ended before it came ends the wait of the others",
		pkg:     "./sync", run: "TestBarrierContextEnds$"},
	{file: "sync/barrier.go",
		from:    "if err = b.eng.Await(a, w); isEnd(err) {",
		to:      "if err = b.eng.Await(a, w); false {",
		promise: "a Wait whose context ends is ErrBroken, too",
		pkg:     "./sync", run: "TestBarrierContextEnds$"},
	{file: "sync/barrier.go",
		from: `			b.eng.Fail(a)
`,
		to: `			_ = a
`,
		promise: "an Action that fails breaks the round",
		pkg:     "./sync", run: "TestBarrierAction$", args: []string{"-timeout=15s"}},
	{file: "sync/barrier.go",
		from: `	well := false
`,
		to: `	well := true
`,
		promise: "an Action that panics breaks the round",
		pkg:     "./sync", run: "TestBarrierAction$", args: []string{"-timeout=15s"}},
	{file: "sync/barrier.go",
		from:    "if !b.eng.Stands(a) {",
		to:      "if false {",
		promise: "the Action of a broken round is not run",
		pkg:     "./sync", run: "TestBarrierLeavesOnce$"},
	{file: "sync/barrier.go",
		from: `case err == ErrBroken:
			return err
		case err != nil:
			return fmt.Errorf("%w: %w", ErrBroken, err)`,
		to: `case err != nil:
			return err`,
		promise: "an Action's error is ErrBroken, too",
		pkg:     "./sync", run: "TestBarrierAction$"},
	{file: "sync/cond.go",
		from:    "!c.core.Closed.Load() && pred() {",
		to:      "!c.core.Closed.Load() && false {",
		promise: "WaitFor looks a last time when its context ends",
		pkg:     "./sync", run: "TestCondWaitFor$"},
	{file: "sync/cond.go",
		from: `err := c.ready(context.Background())
	if err == nil {
		err = c.held()
	}
	for`,
		to: `err := c.ready(ctx)
	if err == nil {
		err = c.held()
	}
	for`,
		promise: "WaitFor of what is true does not wait, whatever its context",
		pkg:     "./sync", run: "TestCondWaitFor$"},
	{file: "sync/cond.go",
		from:    "if err == nil && n < 0 {",
		to:      "if false {",
		promise: "Notify of less than none is an error",
		pkg:     "./sync", run: "TestCondMisuse$"},
	{file: "sync/cond.go",
		from: `	if err == nil {
		err = c.held()
	}
	if err == nil {
		_, err`,
		to: `	if err == nil {
		_, err`,
		promise: "who notifies holds the lock",
		pkg:     "./sync", run: "TestCondMisuse$"},
	{file: "sync/cond_lock.go",
		from: `	if err := c.held(); err != nil {
		return nil, err
	}
`,
		to:      "",
		promise: "who waits holds the lock",
		pkg:     "./sync", run: "TestCondMisuse$"},
	{file: "sync/cond_lock.go",
		from:    "w := g.lock.core.Waiter(context.Background())",
		to:      "w := g.lock.core.Waiter(g.ctx)",
		promise: "Wait takes the lock back however long that takes",
		pkg:     "./sync", run: "TestCondThousandRounds$"},
	{file: "sync/cond_lock.go",
		from:    "g.h.took(g.depth)",
		to:      "g.h.took(1)",
		promise: "Wait takes the lock back to its depth",
		pkg:     "./sync", run: "TestCondDepth$"},
	{file: "sync/cond_lock.go",
		from:    "if g.again && g.who() == nil || !g.mu.Mine() {",
		to:      "if !g.mu.Mine() {",
		promise: "another holder of the process is not the holder",
		pkg:     "./sync", run: "TestCondMisuse$"},
	{file: "sync/cond_lock.go",
		from:    "if g.holder != nil && h != g.holder {",
		to:      "if false {",
		promise: "another holder than the Cond's is not the holder",
		pkg:     "./sync", run: "TestCondMisuse$|TestCondDepth$", args: []string{"-timeout=15s"}},
	{file: "sync/cond_lock.go",
		from:    "err == nil && g.lock.core != core {",
		to:      "false {",
		promise: "a lock of another region is refused",
		pkg:     "./sync", run: "TestOpenCondErrors$"},
	{file: "internal/engine/rmutex.go",
		from:    "mem.Load64(m.w)&mutexHolder == m.me",
		to:      "mem.Load64(m.w)&mutexOwner == m.me&mutexOwner",
		promise: "the lock of an earlier user of the index is not mine",
		pkg:     "./sync", run: "TestHolderLost$"},
}
