package main

// Of the Bell, and what is waited for by it: Event, Once and Barrier.
var engineMeetMutations = []mutation{
	{file: "internal/engine/bell.go",
		from:    "if done() {       // B2",
		to:      "if false {  // B2",
		promise: "E3: look again after the bell is armed",
		pkg:     "./internal/engine", run: "TestSimEvent$/alive", tags: "tandem_sim"},
	{file: "internal/engine/event.go",
		from:    "if err != nil && moved() {",
		to:      "if false {",
		promise: "E5: a context that ends together with a Set has not ended before it",
		pkg:     "./internal/engine", run: "TestSimEvent$/cancelled", tags: "tandem_sim"},
	{file: "internal/engine/event.go",
		from:    "moved := func() bool { return mem.Load64(e.w) != w }",
		to:      "moved := func() bool { return mem.Load64(e.w)&eventSet != 0 }",
		promise: "a pulse reaches everybody who was there before it",
		pkg:     "./internal/engine", run: "TestSimEvent$/cancelled", tags: "tandem_sim"},
	{file: "internal/engine/event.go",
		from:    "e.bell.Ring(-1) // T2",
		to:      "e.bell.Ring(1) // T2",
		promise: "T2: Set wakes all",
		pkg:     "./internal/engine", run: "TestSimEvent$/alive", tags: "tandem_sim"},
	{file: "internal/engine/event.go",
		from: `n := w
		if w&eventSet == 0 {`,
		to: `n := w
		if w&eventSet != 0 {
			return nil
		}
		if w&eventSet == 0 {`,
		promise: "a Set that finds it set rings for a setter that is stopped before it has",
		pkg:     "./internal/engine", run: "TestSimEvent$/stopped", tags: "tandem_sim"},
	{file: "internal/engine/event.go",
		from:    "n = w + eventGen | eventSet",
		to:      "n = w | eventSet",
		promise: "each Set that finds it clear has a number of its own",
		pkg:     "./internal/engine", run: "TestSimEventPulses$", tags: "tandem_sim"},
	{file: "internal/engine/event.go",
		from: `	e.bell.Bump()
	return checkEvent(a)`,
		to: `	_ = e
	return checkEvent(a)`,
		promise: "recovery rings for what the dead one set",
		pkg:     "./internal/engine", run: "TestSimEvent$/killed", tags: "tandem_sim"},
	{file: "internal/engine/once.go",
		from: `		o.m.kick()             // F2
`,
		to:      "",
		promise: "F2: when it is done all go on at once",
		pkg:     "./internal/engine", run: "TestSimOnce$/stopped", tags: "tandem_sim"},
	{file: "internal/engine/once.go",
		from: `		mem.Store64(o.done, 1) // F1
		o.m.kick()             // F2
`,
		to: `		o.m.kick()             // F2
		mem.Store64(o.done, 1) // F1
`,
		promise: "F1 before F2",
		pkg:     "./internal/engine", run: "TestSimOnce$/stopped_for_long", tags: "tandem_sim"},
	{file: "internal/engine/once.go",
		from:    "if d := mem.Load64(o.done); d != 0 { // O3",
		to:      "if d := uint64(0); d != 0 { // O3",
		promise: "O3: it is done once",
		pkg:     "./internal/engine", run: "TestSimOnce$/alive", tags: "tandem_sim"},
	{file: "internal/engine/once.go",
		from: `	if s.o.Done() {
		return errOnceDone
	}
	err := s.Sleeper.Sleep(w, v)
`,
		to: `	err := s.Sleeper.Sleep(w, v)
`,
		promise: "a call that waits for a turn looks whether it is done between L2 and L3",
		pkg:     "./internal/engine", run: "TestSimOnce$/stopped", tags: "tandem_sim"},
	{file: "internal/engine/once.go",
		from: `	err := s.Sleeper.Sleep(w, v)
	if s.o.Done() {
		return errOnceDone
	}
`,
		to: `	err := s.Sleeper.Sleep(w, v)
`,
		promise: "a call that was woken since it is done goes on, and takes no lock",
		pkg:     "./internal/engine", run: "TestOnceGoesOn$"},
	{file: "internal/engine/once.go",
		from: `	if s.o.Done() {
		return errOnceDone
	}
	err := sleepUntil(`,
		to:      "\terr := sleepUntil(",
		promise: "a call that waits while the lock is offered looks whether it is done",
		pkg:     "./internal/engine", run: "TestOnceGoesOn$"},
	{file: "internal/engine/once.go",
		from: `	err := sleepUntil(s.Sleeper, w, v, limit)
	if s.o.Done() {
		return errOnceDone
	}
`,
		to: `	err := sleepUntil(s.Sleeper, w, v, limit)
`,
		promise: "a call that was woken while the lock is offered goes on if it is done",
		pkg:     "./internal/engine", run: "TestOnceGoesOn$"},
	{file: "internal/engine/once.go",
		from:    "o.m.takeFrom(dead, false)",
		to:      "o.m.takeFrom(dead, true)",
		promise: "a runner's death is nobody's business but the next runner's",
		pkg:     "./internal/engine", run: "TestSimOnce$/killed", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from:    "if k := h & barrierBelow; h&barrierRound == w&barrierRound && k > i && k <= b.n {",
		to:      "if k := h & barrierBelow; k > i && k <= b.n {",
		promise: "the hint of another round is not believed: slots are claimed in order",
		pkg:     "./internal/engine", run: "TestSimBarrierHint$", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from:    "h = mem.Load64(b.hint); h&barrierRound == w&barrierRound {",
		to:      "h = mem.Load64(b.hint); true {",
		promise: "the hint of an older round is not believed",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_alive", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from:    "int64((w&barrierRound|i)-h) > 0 {",
		to:      "true {",
		promise: "the hint never goes back",
		pkg:     "./internal/engine", run: "TestSimBarrierHint$", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from: `	b.turn.Ring(-1)
`,
		to:      "",
		promise: "T2: the end of a round is rung for its parties",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_alive", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from: `	b.turn.Ring(-1)
`,
		to: `	b.turn.Ring(1)
`,
		promise: "T2: all of its parties are rung for",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_alive", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from: `	b.turn.Ring(-1)
	b.left.Ring(-1)
`,
		to: `	b.turn.Ring(-1)
`,
		promise: "T2: those who wait for a slot hear of the end of a round, too",
		pkg:     "./internal/engine", run: "TestSimBarrierLeaverStopped$", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from: `	b.left.Ring(-1)
}

// leaveWhat`,
		to: `}

// leaveWhat`,
		promise: "L2: a call that leaves a slot rings for those who wait for it",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_alive", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from:    "		b.leaveWhat(a)\n",
		to:      "",
		promise: "a slot that was scribbled on is emptied by its party",
		pkg:     "./internal/engine", run: "TestBarrierScribbledSlot$"},
	{file: "internal/engine/barrier.go",
		from:    "a.b&barrierRound|b.me, a.b&barrierRound)",
		to:      "a.b&barrierRound|b.me, 0)",
		promise: "a slot that is left keeps its generation",
		pkg:     "./internal/engine", run: "TestSimBarrierLeaverStopped$", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from:    "return mem.Load64(b.b) != w || !full && mem.Load64(b.slot(bankOf(w), i)) != v",
		to:      "return mem.Load64(b.b) != w",
		promise: "a call that waits for a slot looks at it again when the bell is armed",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_alive", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from:    "return mem.Load64(b.b) != w || !full && mem.Load64(b.slot(bankOf(w), i)) != v",
		to:      "return !full && mem.Load64(b.slot(bankOf(w), i)) != v",
		promise: "a call that waits for a round looks at B again when the bell is armed",
		pkg:     "./internal/engine", run: "TestSimBarrierLeaverStopped$", tags: "tandem_sim"},
	{file: "internal/engine/bell.go",
		from:    "if done() {       // B2",
		to:      "if false {  // B2",
		promise: "W1: look again when the bell is armed",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_alive", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from: `err != nil {
			b.breaks(a.b)
`,
		to: `err != nil {
`,
		promise: "a context that ends breaks the round",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_cancelled", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from: `	x := mem.Load64(b.b)
	b.leave(a)
`,
		to: `	b.leave(a)
	x := mem.Load64(b.b)
`,
		promise: "P says what became of a round only while its slot is held",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_alive", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from: `if w&barrierBroken == 0 && (mem.Load64(b.slot(bankOf(w), 0))^w)&barrierRound != 0 {
			return`,
		to: `if false {
			return`,
		promise: "Reset where nobody has come changes nothing",
		pkg:     "./internal/engine", run: "TestBarrierResetOfNone$"},
	{file: "internal/engine/barrier.go",
		from: `		} else if ok {
			b.tell()
`,
		to: `		} else if ok {
`,
		promise: "Z1: those who wait are told of a Reset",
		pkg:     "./internal/engine", run: "TestSimBarrier$/upset_alive", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from: `mem.Add64(b.a.W64(barrierBreaks), 1)
		b.tell()
`,
		to: `mem.Add64(b.a.W64(barrierBreaks), 1)
`,
		promise: "X1: those who wait are told that it is broken",
		pkg:     "./internal/engine", run: "TestSimBarrierLeaverStopped$", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from: `	b.leave(a)
	return err
`,
		to: `	if !ok {
		b.leave(a)
	}
	return err
`,
		promise: "L1: the last one leaves its slot",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_alive", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from: `	b.leave(a)
	return err
`,
		to: `	if ok {
		b.leave(a)
	}
	return err
`,
		promise: "L1: the last one leaves its slot when the round is broken",
		pkg:     "./internal/engine", run: "TestSimBarrier$/upset_alive", tags: "tandem_sim"},
	{file: "internal/engine/barrier.go",
		from: `	b.breaks(a.b)
	b.leave(a)
`,
		to: `	b.breaks(a.b)
`,
		promise: "L1: a call that fails leaves its slot",
		pkg:     "./internal/engine", run: "TestSimBarrier$/upset_alive", tags: "tandem_sim"},
	{file: "internal/engine/barrier_recover.go",
		from:    "b.breaks(w &^ barrierBroken)",
		to:      "b.Abort()",
		promise: "a death breaks the round it was of, and no other",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_killed", tags: "tandem_sim"},
	{file: "internal/engine/barrier_recover.go",
		from:    "		b.breaks(w &^ barrierBroken)\n",
		to:      "",
		promise: "a death breaks the round it was of",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_killed", tags: "tandem_sim"},
	{file: "internal/engine/barrier_recover.go",
		from: `	b.turn.Bump()
	b.left.Bump()
`,
		to:      "",
		promise: "recovery rings for what the dead one did",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_killed", tags: "tandem_sim"},
	{file: "internal/engine/barrier_recover.go",
		from: `for bank := range 2 {
		for i := range b.n {
			s := b.slot(bank, i)
			if v := mem.Load64(s); v&barrierBelow == who {`,
		to: `for bank := range 1 {
		for i := range b.n {
			s := b.slot(bank, i)
			if v := mem.Load64(s); v&barrierBelow == who {`,
		promise: "the slots of the dead are emptied in both banks",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_killed", tags: "tandem_sim"},
	{file: "internal/engine/barrier_recover.go",
		from:    "mem.CAS64(s, v, v&barrierRound)",
		to:      "mem.CAS64(s, v, 0)",
		promise: "a dead one's slot keeps its generation",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_killed", tags: "tandem_sim"},
	{file: "internal/engine/barrier_recover.go",
		from: `	if b.has(w, who) {
`,
		to: `	had := b.has(w, who)
	for i := range b.n {
		mem.CAS64(b.slot(bankOf(w), i), w&barrierRound|who, w&barrierRound)
	}
	if had {
`,
		promise: "a dead one's round is broken before its slot is emptied",
		pkg:     "./internal/engine", run: "TestSimBarrier$/quiet_killed", tags: "tandem_sim"},
	{file: "internal/engine/bell.go",
		from:    "mem.CAS32(b.w, w, w|bellQuiet) // W6",
		to:      "mem.CAS32(b.w, w, w&^bellAsleep) // W6",
		promise: "S is never cleared over a sleeper: quiet first",
		pkg:     "./internal/engine", run: "TestSimBell$/stopped", tags: "tandem_sim"},
	{file: "internal/engine/bell.go",
		from:    "if v&(bellAsleep|bellQuiet) == bellAsleep {",
		to:      "if v&bellAsleep != 0 {",
		promise: "B1: nobody goes to sleep on a quiet bell",
		pkg:     "./internal/engine", run: "TestSimBell$/stopped", tags: "tandem_sim"},
	{file: "internal/engine/bell.go",
		from:    "&z) // B3\n\t\tif err != nil {",
		to:      "&z) // B3\n\t\tif err != nil && !done() {",
		promise: "an error ends a wait without another look",
		pkg:     "./internal/engine", run: "TestAwaitErrorIsTheLastLook$"},
	{file: "internal/engine/bell.go",
		from:    "w := v + bellSeq",
		to:      "w := v",
		promise: "W4: the sequence changes",
		pkg:     "./internal/engine", run: "TestSimBell$/alive", tags: "tandem_sim"},
	{file: "internal/engine/bell.go",
		from: `	mem.Add32(b.w, bellSeq)
`,
		to:      "",
		promise: "a bump changes the sequence",
		pkg:     "./internal/engine", run: "TestSimBell$/killed", tags: "tandem_sim"},
	{file: "internal/engine/bell.go",
		from: `	b.env.Wake(b.w, -1)
`,
		to: `	b.env.Wake(b.w, 1)
`,
		promise: "a bump wakes all",
		pkg:     "./internal/engine", run: "TestSimEvent$/killed", tags: "tandem_sim"},
}
