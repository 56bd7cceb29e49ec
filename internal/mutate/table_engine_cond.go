package main

// Of the Cond.
var engineCondMutations = []mutation{
	{file: "internal/engine/cond.go",
		from: `if err := c.heal(); err != nil { // W1
		return err
	}
`,
		to:      "",
		promise: "W1: a call that waits heals before it joins",
		pkg:     "./internal/engine", run: "TestSimCond$/killed", tags: "tandem_sim"},
	{file: "internal/engine/bell.go",
		from:    "if done() {       // B2",
		to:      "if false {  // B2",
		promise: "W4: look again for a grant when the bell is armed",
		pkg:     "./internal/engine", run: "TestSimCondExhaustTwo$", tags: "tandem_sim"},
	{file: "internal/engine/bell.go",
		from:    "if done() {       // B2",
		to:      "if false {  // B2",
		promise: "W4: look again at the lock when the bell is armed",
		pkg:     "./internal/engine", run: "TestSimCondExhaustHealer$", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from:    "return c.due(w) || l.Abandoned() }",
		to:      "return c.due(w) }",
		promise: "a call that waits sees that the lock is abandoned",
		pkg:     "./internal/engine", run: "TestSimCondExhaustHealer$", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from: `if err := c.heal(); err != nil {
		c.drop(w, l)
		return false, true, err
	}
`,
		to:      "",
		promise: "W7: heal before looking",
		pkg:     "./internal/engine", run: "TestSimCondExhaustHealer$", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from:    "c.decide(w, l, ended != nil || suspect)",
		to:      "c.decide(w, l, ended != nil)",
		promise: "a call that gets a suspect lock is told",
		pkg:     "./internal/engine", run: "TestSimCond$/killed", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from:    "c.decide(w, l, ended != nil || suspect)",
		to:      "c.decide(w, l, suspect)",
		promise: "a context that ends ends the wait",
		pkg:     "./internal/engine", run: "TestSimCond$/cancelled", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from: `	c.line.leave(w) // C3
	for range condTries {
		if !c.own(r) {
			break
		}
		if mem.CAS64(c.row, r, condLeft(r, told)) { // C4
`,
		to: `	for range condTries {
		if !c.own(r) {
			break
		}
		if mem.CAS64(c.row, r, condLeft(r, told)) { // C4
			c.line.leave(w) // C3
`,
		promise: "C3 before C4: a notified waiter never looks as if it were not",
		pkg:     "./internal/engine", run: "TestSimCondExhaustTwo$", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from:    "told && g > 0 || g == condWaitingOf(r)",
		to:      "g == condWaitingOf(r)",
		promise: "C4: a grant is taken",
		pkg:     "./internal/engine", run: "TestSimCond$/alive", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from: `if mem.Load64(c.a.W64(condLog)) != 0 {
		return true
	}
`,
		to:      "",
		promise: "a call that waits takes the lock and heals when a healer has died",
		pkg:     "./internal/engine", run: "TestSimCondExhaustHealer$", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from: `r&condDead != 0 && condGrantedOf(r) > 0 {
			return true`,
		to: `r&condDead != 0 && condGrantedOf(r) < 0 {
			return true`,
		promise: "a call that waits takes the lock and heals when the dead had grants",
		pkg:     "./internal/engine", run: "TestSimCondPromises$", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from:    "	c.leave(w, r, c.line.first(w, condGrantedOf(r)))",
		to:      "	c.leave(w, r, false)",
		promise: "a waiter that cannot have the lock takes its grant with it",
		pkg:     "./internal/engine", run: "TestCondLockGone$"},
	{file: "internal/engine/cond.go",
		from:    "			c.withdraw(w, l)",
		to:      "			c.drop(w, l)",
		promise: "a waiter from which the lock was taken leaves with the lock held",
		pkg:     "./internal/engine", run: "TestSimCondRobbed$", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from:    "told && err == nil {\n		c.Notify(1,",
		to:      "told && err == nil {\n		c.Notify(0,",
		promise: "a waiter from which the lock was taken passes on what it was given",
		pkg:     "./internal/engine", run: "TestSimCondRobbed$", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from:    "	for range condTries {\n		if used, bit",
		to:      "	for range 1 {\n		if used, bit",
		promise: "C1 is tried again: another may be inside without the lock",
		pkg:     "./internal/engine", run: "TestSimCondRobbed$", tags: "tandem_sim"},
	{file: "internal/engine/cond.go",
		from:    "	for range condTries {\n		if !c.own(r) {",
		to:      "	for range 1 {\n		if !c.own(r) {",
		promise: "C4 is tried again: another may be inside without the lock",
		pkg:     "./internal/engine", run: "TestSimCondRobbed$", tags: "tandem_sim"},
	{file: "internal/engine/cond_notify.go",
		from:    "	for range condTries {\n		r := mem.Load64(row)",
		to:      "	for range 1 {\n		r := mem.Load64(row)",
		promise: "N2 is tried again: another may be inside without the lock",
		pkg:     "./internal/engine", run: "TestSimCondRobbed$", tags: "tandem_sim"},
	{file: "internal/engine/cond_notify.go",
		from: `if err := c.heal(); err != nil { // N1
		return 0, false, err
	}
`,
		to:      "",
		promise: "N1: a notifier heals",
		pkg:     "./internal/engine", run: "TestSimCondExhaustHealer$", tags: "tandem_sim"},
	{file: "internal/engine/cond_notify.go",
		from:    "bell.Ring(-1) // N3",
		to:      "bell.Ring(k) // N3",
		promise: "N3: all of a process's waiters look, since the bell does not know whose turn it is",
		pkg:     "./internal/engine", run: "TestSimCond$/alive", tags: "tandem_sim"},
	{file: "internal/engine/cond_notify.go",
		from:    "\tbell.Ring(-1) // H6\n",
		to:      "\t_ = bell\n",
		promise: "H6: a waiter that is dealt a grant is rung for",
		pkg:     "./internal/engine", run: "TestSimCondExhaustHealer$", tags: "tandem_sim"},
	{file: "internal/engine/cond_notify.go",
		from:    "n := v | r&condDead;",
		to:      "n := v;",
		promise: "H3, H4: D is kept",
		pkg:     "./internal/engine", run: "TestSimCondDealtToTheDying$", tags: "tandem_sim"},
	{file: "internal/engine/cond_notify.go",
		from: `from, to := mem.Load64(c.a.W64(condFrom)), mem.Load64(c.a.W64(condTo))
`,
		to: `from, to := mem.Load64(c.a.W64(condFrom)), mem.Load64(c.a.W64(condTo))
	mem.Store64(c.a.W64(condLog), 0)
`,
		promise: "H5 after H3 and H4: the log stays until they are done",
		pkg:     "./internal/engine", run: "TestSimCondExhaustHealer$", tags: "tandem_sim"},
	{file: "internal/engine/cond_notify.go",
		from: `	mem.Store64(c.a.W64(condFrom), r-uint64(k)) // H1
	mem.Store64(c.a.W64(condTo), s+uint64(k))
	mem.Store64(c.a.W64(condLog), uint64(j)<<11|uint64(i)<<1|condActive) // H2
`,
		to: `	mem.Store64(c.a.W64(condLog), uint64(j)<<11|uint64(i)<<1|condActive) // H2
	mem.Store64(c.a.W64(condFrom), r-uint64(k)) // H1
	mem.Store64(c.a.W64(condTo), s+uint64(k))
`,
		promise: "H1 before H2: a log that is active is whole",
		pkg:     "./internal/engine", run: "TestSimCondExhaustHealer$", tags: "tandem_sim"},
	{file: "internal/engine/cond_notify.go",
		from:    "mem.Store64(c.a.W64(condNext), uint64(begin))",
		to:      "_ = begin",
		promise: "Notify takes turns among the processes",
		pkg:     "./internal/engine", run: "TestCondTakesTurns$"},
	{file: "internal/engine/cond_notify.go",
		from:    "c.round(begin, n-given, max(1, (n-given)/procs))",
		to:      "c.round(begin, n-given, n)",
		promise: "each process has its share of what is given at once",
		pkg:     "./internal/engine", run: "TestCondTakesTurns$"},
	{file: "internal/engine/cond_notify.go",
		from:    "for range c.rows + 1 {",
		to:      "for range 1 {",
		promise: "heal goes on until none was dead",
		pkg:     "./internal/engine", run: "TestSimCondExhaustHealer$", tags: "tandem_sim"},
	{file: "internal/engine/cond_notify.go",
		from: `		if mem.CAS64(row, r, 0) { // H7
			return nil
		}
`,
		to: `		return nil
`,
		promise: "H7: a dead row is emptied",
		pkg:     "./internal/engine", run: "TestSimCondExhaustHealer$", tags: "tandem_sim"},
	{file: "internal/engine/cond_recover.go",
		from:    "if mem.CAS64(row, r, r|condDead) {",
		to:      "if mem.CAS64(row, r, 0) {",
		promise: "what was granted to the dead is dealt to others",
		pkg:     "./internal/engine", run: "TestSimCondPromises$", tags: "tandem_sim"},
	{file: "internal/engine/cond_recover.go",
		from: `	c.kick()
	return err`,
		to:      "\treturn err",
		promise: "recovery rings all bells",
		pkg:     "./internal/engine", run: "TestSimCond$/killed", tags: "tandem_sim"},
	{file: "internal/engine/cond_recover.go",
		from:    "if r == 0 || r&condDead != 0 || age > 0 {",
		to:      "if r == 0 || r&condDead != 0 || age > 0 && r == 0 {",
		promise: "a younger user of the index waits on",
		pkg:     "./internal/engine", run: "TestCondRecovery$"},
}
