package main

// Of the RWMutex: its writers and its readers.
var engineRWMutexMutations = []mutation{
	{file: "internal/engine/rwmutex_now.go",
		from:    "if l.reading() || !l.there() {",
		to:      "if !l.there() {",
		promise: "W2: Enter looks at all rows once it has the mutex",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_now.go",
		from:    "if mem.Load64(l.bits) != l.only || uint32",
		to:      "if uint32",
		promise: "W2: Alone looks whether another row is in use",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_now.go",
		from:    "!= l.only || uint32(mem.Load64(l.row)) != 0 {",
		to:      "!= l.only {",
		promise: "W2: Alone looks at this process's readers",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_now.go",
		from:    "	mem.Release64(l.entered, l.m.me) // W3: alone\n",
		to:      "",
		promise: "W3: Alone says who is inside",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_now.go",
		from:    "	mem.Release64(l.entered, l.m.me) // W3\n",
		to:      "",
		promise: "W3: Enter says who is inside",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_now.go",
		from: "{ return mem.CAS64(l.entered, l.m.me, 0) } // W4",
		to: `{
	if mem.Load64(l.entered) != l.m.me {
		return false
	}
	mem.Store64(l.entered, 0) // W4
	return true
}`,
		promise: "W4: who unlocks once too often takes nothing from another process's writer",
		pkg:     "./internal/engine", run: "TestSimRWMutexUnlockedTwice$", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex.go",
		from:    "l.only = ^l.bit // which it never is",
		to:      "l.only = l.bit",
		promise: "W2: of more than 64 rows one word of bits does not tell that nobody reads",
		pkg:     "./internal/engine", run: "TestRWMutexManyRows$"},
	{file: "internal/engine/rwmutex.go",
		from: `	l.m.Unlock()
	l.gate.Ring(-1)
`,
		to: `	l.m.Unlock()
`,
		promise: "a call that gives the mutex back rings for readers",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_now.go",
		from:    "{ l.gate.Ring(-1) } // W6",
		to:      "{}",
		promise: "W6: Unlock rings for those who wait",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_now.go",
		from:    "{ l.gate.Ring(-1) } // W6",
		to:      "{ l.gate.Ring(1) }",
		promise: "W6: Unlock rings for all",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex.go",
		from: `if !l.reading() {
			break`,
		to: `if false {
			break`,
		promise: "W2: a writer looks again when it has armed",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex.go",
		from: `	if err != nil {
		l.giveBack()`,
		to: `	if err != nil {
		l.m.Unlock()`,
		promise: "a writer that gives up in W2 rings for readers",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/cancelled", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex.go",
		from:    "		l.giveBack() // W5, W6\n",
		to:      "		l.m.Unlock()\n",
		promise: "TryLock that finds readers rings for those who saw it hold the mutex",
		pkg:     "./internal/engine", run: "TestSimRWMutexTryRings$", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_now.go",
		from: `if l.reading() || !l.there() {
		l.giveBack()`,
		to: `if l.reading() || !l.there() {
		l.m.Unlock()`,
		promise: "Enter that finds readers rings for those who saw it hold the mutex",
		pkg:     "./internal/engine", run: "TestSimRWMutexTryRings$/LockNow", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex.go",
		from:    "if !l.reading() { // W2",
		to:      "if true { // W2",
		promise: "TryLock is not held with a reader",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex.go",
		from:    "		l.giveBack() // W5, W6\n",
		to:      "		l.giveBack()\n		return false, nil\n",
		promise: "W7: TryLock looks again at a reader that stepped out for it",
		pkg:     "./internal/engine", run: "TestSimRWMutexTrys$", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_read.go",
		from:    "if w&mutexOwner != 0 {",
		to:      "if w&mutexOwner != 0 || true {",
		promise: "R6: TryRLock looks again at a writer that has given up for it",
		pkg:     "./internal/engine", run: "TestSimRWMutexTrys$", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_now.go",
		from:    "{ return mem.Load32(l.starving) == 0 && l.m.LockGuess() }",
		to:      "{ return l.m.LockGuess() }",
		promise: "LockGuess stands back for readers that were passed over",
		pkg:     "./internal/engine", run: "TestSimRWMutexStarvingStopped$", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex.go",
		from:    "if mem.Load32(l.starving) != 0 { // W0",
		to:      "if false { // W0",
		promise: "W0: writers stand back for starving readers",
		pkg:     "./internal/engine", run: "TestSimRWMutexStarvingStopped$", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex.go",
		from: `if w&mutexAbandoned != 0 {
			break`,
		to: `if false {
			break`,
		promise: "a writer is told of a death at once, and stands back for nobody",
		pkg:     "./internal/engine", run: "TestRWMutexStandsBackForNoDeath$"},
	{file: "internal/engine/rwmutex.go",
		from:    "sleepUntil(s, l.gate.Word(), word, now+left)",
		to:      "sleepUntil(s, l.gate.Word(), word, now+1000*left)",
		promise: "S4: a writer stands back for patience at most",
		pkg:     "./internal/engine", run: "TestSimRWMutexStarvingStopped$", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex.go",
		from:    "left -= s.Now() - now; left <= 0",
		to:      "left -= 0; left <= 0",
		promise: "S4: patience is all together",
		pkg:     "./internal/engine", run: "TestSimRWMutexStarvingStopped$", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex.go",
		from: `left <= 0 {
			mem.Store32(l.starving, 0)
`,
		to: `left <= 0 {
`,
		promise: "S4 clears what a stopped reader said",
		pkg:     "./internal/engine", run: "TestSimRWMutexStarvingStopped$", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex.go",
		from: `		if !l.any(rwPassed) { // S2
			mem.Store32(l.starving, 0)
			break
		}
`,
		to:      "",
		promise: "S2: a hint that no reader stands for is cleared",
		pkg:     "./internal/engine", run: "TestRWMutexRecovery$"},
	{file: "internal/engine/rwmutex.go",
		from: `	mem.Or64(l.bits, l.bit)
`,
		to:      "",
		promise: "used is set before the row is",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_read.go",
		from: `if uint32(n) == 1 {
				l.drain.Ring(1)
			}
			return
`,
		to: `return
`,
		promise: "R3: a reader that steps out rings for the writer",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_read.go",
		from:    "			l.Drained()\n",
		to:      "",
		promise: "R5: the last reader rings for the writer",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_read.go",
		from: `if ok, err = l.TryRLock(); ok || err != nil {
			return l.waited`,
		to: `if false {
			return l.waited`,
		promise: "R4: a reader looks again when it has armed",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_read.go",
		from: `		l.gate.Ring(-1)
	}
	return err`,
		to: `	}
	return err`,
		promise: "P3: a reader that was passed over rings for the writers who stand back",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_read.go",
		from: `		mem.Add32(l.passed(), ^uint32(0))
`,
		to:      "",
		promise: "P3: a call that was passed over and is inside, or gone, does not count any more",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_now.go",
		from:    " && l.Quiet() // R1, R2",
		to:      "",
		promise: "R2: a reader looks at the mutex after it has said that it reads",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/alive", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_read.go",
		from: `				mem.Add32(l.passed(), 1) // P1
			}
			if mem.Load32(l.starving) == 0 {`,
		to: `				mem.Add32(l.passed(), 1) // P1
			}
			if mem.Load32(l.passed()) == 0 {`,
		promise: "P2: a reader that is passed over says so",
		pkg:     "./internal/engine", run: "TestSimRWMutexStarving$", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_read.go",
		from: `				mem.Add32(l.passed(), 1) // P1
			}
			if mem.Load32(l.starving) == 0 {
				mem.Store32(l.starving, 1) // P2
			}
`,
		to: `				mem.Add32(l.passed(), 1) // P1
				mem.Store32(l.starving, 1) // P2
			}
`,
		promise: "P2: a hint that was cleared too soon is made again",
		pkg:     "./internal/engine", run: "TestRWMutexPassedOver$"},
	{file: "internal/engine/rwmutex_read.go",
		from: `if slept && now-start > patience {
			if !passed`,
		to: `if slept {
			if !passed`,
		promise: "a reader is starving patience after it came",
		pkg:     "./internal/engine", run: "TestRWMutexPassedOver$"},
	{file: "internal/engine/rwmutex_recover.go",
		from: `	l.drain.Bump()
	// An`,
		to:      "\t// An",
		promise: "recovery rings for the writer who waits for the dead reader",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/killed", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_recover.go",
		from: `	l.gate.Bump()
	mem.Add64`,
		to:      "\tmem.Add64",
		promise: "recovery rings for those who wait for the dead writer",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/killed", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_recover.go",
		from: `	err := l.m.takeFrom(dead, inside)
	if inside {
		mem.CAS64(l.entered, e, 0) // or one who repairs is inside already
	}
`,
		to: `	if inside {
		mem.CAS64(l.entered, e, 0)
	}
	err := l.m.takeFrom(dead, inside)
`,
		promise: "entered is cleared after the mutex was taken from the dead: a recoverer may die in between",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/killed", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_recover.go",
		from:    "err := l.m.takeFrom(dead, inside)",
		to:      "err := l.m.takeFrom(dead, true)",
		promise: "a writer that dies waiting leaves nothing",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/killed", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_recover.go",
		from: `	mem.Store32(line.W32(rwPassed), 0)
`,
		to:      "",
		promise: "a dead reader that was passed over does not count any more",
		pkg:     "./internal/engine", run: "TestSimRWMutex$/killed", tags: "tandem_sim"},
	{file: "internal/engine/rwmutex_recover.go",
		from:    "inside := ok && who.Index == dead.Index && int32(who.Epoch-dead.Epoch) <= 0",
		to:      "inside := ok && who.Index == dead.Index",
		promise: "a younger writer of the index is left inside",
		pkg:     "./internal/engine", run: "TestRWMutexRecoveryEpochs$"},
	{file: "internal/engine/rwmutex_recover.go",
		from:    "if int32(uint32(r>>32)-dead.Epoch) > 0 {",
		to:      "if false {",
		promise: "the readers of a younger user of the index are left",
		pkg:     "./internal/engine", run: "TestRWMutexAttach$"},
}
