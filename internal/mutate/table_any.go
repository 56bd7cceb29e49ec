package main

// Waiting for one of several things.
var anyMutations = []mutation{
	{
		file: "internal/engine/any.go",
		from: "i, e := a.look(a.waits) // A5", to: "i, e := a.look(false) // A5",
		promise: "A5: a wake-up that was another's is passed on",
		pkg:     "./internal/engine", run: "TestSimAnyExhaust$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any.go",
		from: "			if o.one {", to: "			if o.one && first != i {",
		promise: "A5: also that of the thing which is returned, for its caller may not take it",
		pkg:     "./internal/engine", run: "TestSimAnyExhaust$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any.go",
		from: "			if o.one {", to: "			if o.one && first == i {",
		promise: "A5: also those of the things behind the first that is ready: a sleep may use up one of each",
		pkg:     "./internal/engine", run: "TestSimAny", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any.go",
		from: "				o.bell.Ring(1)\n", to: "				o.bell.Ring(1)\n				return first, nil\n",
		promise: "A5 looks at all",
		pkg:     "./internal/engine", run: "TestSimAny", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any.go",
		from: "	can := a.sync()", to: "	can := true",
		promise: "A2: the fences of those who publish without one",
		pkg:     "./internal/engine", run: "TestSimAnyExhaust$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any.go",
		from: `	for i := range a.of {
		b := a.of[i].bell
		v := b.Arm()`,
		to: `	if s := a.sync; s != nil {
		s()
		a.sync = func() bool { return true }
		defer func() { a.sync = s }()
	}
	for i := range a.of {
		b := a.of[i].bell
		v := b.Arm()`,
		promise: "A2 comes after all arms",
		pkg:     "./internal/engine", run: "TestSimAny", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any.go",
		from: "		a.values[i] = v\n",
		to: `		a.values[i] = v
		if s := a.sync; s != nil && i == 0 {
			s()
			a.sync = func() bool { return true }
			defer func() { a.sync = s }()
		}
`,
		promise: "A2 comes after the last arm, and not after the first",
		pkg:     "./internal/engine", run: "TestSimAny", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any.go",
		from: `			limit = a.arm(s)
			if i, err := a.look(false); i >= 0 || err != nil { // A3
				return i, err
			}
`,
		to: `			if sync := a.sync; sync != nil {
				sync()
			}
			for i := range a.of {
				a.values[i] = a.of[i].bell.Arm()
				if ready, _ := a.of[i].Ready(a.of[i].since); ready {
					return i, nil
				}
			}
`,
		promise: "A3 comes after A2 and all arms, and not object by object",
		pkg:     "./internal/engine", run: "TestSimAny", tags: "tandem_sim",
	},
	{
		file: "internal/engine/ledger_recover.go",
		from: "	l.Bell.Bump()\n", to: "",
		promise: "what a dead call was woken for, and has not passed on, recovery makes good",
		pkg:     "./internal/engine", run: "TestSimAny$/killed", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any.go",
		from: "i >= 0 || err != nil { // A3", to: "(i >= 0 || err != nil) && s.Now() < 0 { // A3",
		promise: "A3: a look between the arms and the sleep",
		pkg:     "./internal/engine", run: "TestSimAnyExhaust$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any.go",
		from: "		i, e := a.look(a.waits) // A5",
		to: `		if err != nil {
			return -1, err
		}
		i, e := a.look(a.waits) // A5`,
		promise: "A5 comes before an error, too",
		pkg:     "./internal/engine", run: "TestSimAnyLeaves$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any.go",
		from: "	if can && (!a.misses || a.over) {", to: "	if can {",
		promise: "a Sync may have missed somebody: the first sleep is a slice",
		pkg:     "./internal/engine", run: "TestAnySyncs$",
	},
	{
		file: "internal/engine/any.go",
		from: "		if v != a.values[i] && b.patient {", to: "		if false {",
		promise: "and so is one after a bell has moved",
		pkg:     "./internal/engine", run: "TestAnySyncs$",
	},
	{
		file: "internal/engine/any.go",
		from: "	a.waits = s.Arms()", to: "	a.waits = true",
		promise: "who sleeps on no word arms none",
		pkg:     "./internal/engine", run: "TestAnyLooks$",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "	return since&eventSet != 0 || w != since, nil", to: "	return w&eventSet != 0, nil",
		promise: "a Set that is cleared at once is seen by a call that was there",
		pkg:     "./internal/engine", run: "TestSimAny$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "st&statePending != 0 && q.anyReturned()", to: "false && st&statePending != 0 && q.anyReturned()",
		promise: "a message that was given back is one, wherever it lies",
		pkg:     "./internal/engine", run: "TestReadyIsWhatATryFinds$",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "st&stateShut != 0 && !q.anyHeld()", to: "st&stateShut != 0",
		promise: "the end of a queue is when nothing is leased",
		pkg:     "./internal/engine", run: "TestReadyIsWhatATryFinds$",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "st&stateShut != 0 && !q.anyHeld()", to: "false && st&stateShut != 0 && !q.anyHeld()",
		promise: "the end of a queue is something to get",
		pkg:     "./internal/engine", run: "TestReadyIsWhatATryFinds$",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "return s.IsShut() || s.Len() > 0, nil", to: "return s.Len() > 0, nil",
		promise: "the end of an SPSC is something to get",
		pkg:     "./internal/engine", run: "TestReadyIsWhatATryFinds$",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "			c = max(c, f-b.n)", to: "			return f == 0, nil",
		promise: "a subscriber that was lapped has something to get",
		pkg:     "./internal/engine", run: "TestReadyIsWhatATryFinds$",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "return at.w&slotEnd != 0 || b.isShut(), nil", to: "return false, nil",
		promise: "the end of a broadcast is something to get",
		pkg:     "./internal/engine", run: "TestReadyIsWhatATryFinds$",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "			c++\n", to: "			return false, nil\n",
		promise: "a subscriber looks beyond what was removed",
		pkg:     "./internal/engine", run: "TestReadyIsWhatATryFinds$",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "	s.bell.Ring(-1)", to: "	s.bell.Armed()",
		promise: "the end of a child wakes those who wait for it",
		pkg:     "./test/waitany", run: "TestProcessEnds$", env: []string{"TANDEM_FORCE=norelook"},
	},
	{
		file: "internal/wait/any.go",
		from: "		if over.Load() {", to: "		if over.Load() && n < 0 {",
		promise: "Close of a handle ends a wait for several, whichever it is of",
		pkg:     "./test/waitany", run: "TestCloses$",
	},
	{
		file: "internal/wait/list.go",
		from: " && !w.several {", to: " {",
		promise: "and wakes it",
		pkg:     "./test/waitany", run: "TestCloses$", env: []string{"TANDEM_FORCE=norelook"},
	},
	{
		file: "internal/wait/any.go",
		from: "		a.places[n].list = l", to: "		a.places[n].list = nowhere",
		promise: "the call stands on the list of each region",
		pkg:     "./test/waitany", run: "TestCloses$",
	},
	{
		file: "internal/wait/waiter.go",
		from: "	if lead := w.lead; lead != nil { // once: Done may clear it\n		return lead\n	}\n", to: "",
		promise: "an alarm of any of its lists is the call's",
		pkg:     "./test/waitany", run: "TestCloses$", env: []string{"TANDEM_FORCE=norelook"},
	},
	{
		file: "internal/wait/any.go",
		from: "		sys.FutexWakePrivate(a.w.nudge, -1)\n", to: "",
		promise: "the first group that is up wakes the others",
		pkg:     "./test/waitany", run: "TestMany$", env: []string{"TANDEM_FORCE=norelook"},
	},
	{
		file: "internal/wait/any.go",
		from: "	for range n - 1 {\n		<-a.out\n	}\n", to: "	for range n - 1 {\n		select {\n		case <-a.out:\n		default:\n		}\n	}\n",
		promise: "the sleep is over when the last group is off its words",
		pkg:     "./internal/wait", run: "TestAnyEnds$",
	},
	{
		file: "internal/wait/any.go",
		from: "			a.leave(i, false)", to: "			a.leave(0, false)",
		promise: "a call that does not get to sleep stands on no list",
		pkg:     "./internal/wait", run: "TestAnyHearsBefore$",
	},
	{
		file: "internal/wait/any.go",
		from: "		a.w.For(a.ends[0])", to: "		_ = a.w // a.ends[0]",
		promise: "Close of a handle ends a Poll that spins",
		pkg:     "./test/waitany", run: "TestClosesSpinning$",
	},
	{
		file: "internal/object/any.go",
		from: "if err := c.Seen(nil); err != nil {", to: "if err := c.Seen(nil); err != nil && i < 0 {",
		promise: "what is ready in the zeroes is not told",
		pkg:     "./sync", run: "TestSimCloseAny$", tags: "tandem_sim",
	},
	{
		file: "internal/object/any.go",
		from: "		case s.Core != nil && s.Core.Closed.Load():", to: "		case s.Core != nil && s.Core.Closed.Load() && i < 0:",
		promise: "a handle that is closed makes no attempt",
		pkg:     "./test/waitany", run: "TestCloses$",
	},
	{
		file: "internal/engine/any.go",
		from: "a.misses || bell.env.Misses", to: "bell.env.Misses",
		promise: "and it is enough that one region's may",
		pkg:     "./internal/engine", run: "TestAnyMisses$",
	},
	{
		file: "internal/engine/any.go",
		from: "		grown = min(a.slices, sliceGrows)\n", to: "		grown = 0\n",
		promise: "who cannot make the fences of others looks less and less often",
		pkg:     "./internal/engine", run: "TestAnySlices$",
	},
	{
		file: "internal/engine/any.go",
		from: " && mem.Load32(o.bell.w) == a.values[i] {", to: " && mem.Load32(o.bell.w) != 0 {",
		promise: "what was rung for is not made good as well",
		pkg:     "./internal/engine", run: "TestAnySyncs$",
	},
	{
		file: "internal/engine/any.go",
		from: "		if limit == 0 {\n			a.unrung()\n		}\n", to: "		a.unrung()\n",
		promise: "nor is anything after a slice",
		pkg:     "./internal/engine", run: "TestAnySyncs$",
	},
	{
		file: "internal/engine/any.go",
		from: "		case e != nil && err == nil:\n", to: "		case e != nil:\n",
		promise: "an error is that of the lowest that cannot tell",
		pkg:     "./internal/engine", run: "TestAnyErrors$",
	},
	{
		file: "internal/engine/any.go",
		from: "	if first >= 0 {\n		err = nil\n	}\n", to: "",
		promise: "one that cannot tell does not hide another that is ready",
		pkg:     "./internal/engine", run: "TestAnyErrors$",
	},
	{
		file: "internal/engine/any.go",
		from: "			a.bad = -1\n", to: "",
		promise: "what the sleeper says is no source's error",
		pkg:     "./internal/engine", run: "TestAnyErrors$",
	},
	{
		file: "internal/engine/any.go",
		from: "		o.since = at.Since()\n", to: "		_ = at\n",
		promise: "A0: what moves is compared with what it was when the call began",
		pkg:     "./internal/engine", run: "TestAnyEventSince$",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "func (l *Ledger) Awaited() (*Bell, bool) { return &l.Bell, true }", to: "func (l *Ledger) Awaited() (*Bell, bool) { return &l.Bell, false }",
		promise: "a release of one permit wakes one, and a wait for several passes it on",
		pkg:     "./internal/engine", run: "TestSimAnyExhaust$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "func (q *Queue) Awaited() (*Bell, bool) { return &q.items, true }", to: "func (q *Queue) Awaited() (*Bell, bool) { return &q.items, false }",
		promise: "so does a Put",
		pkg:     "./internal/engine", run: "TestAnyRingsOnceMore$",
	},
	{
		file: "internal/engine/any_sources.go",
		from: "{ return p.h.Data(), true }", to: "{ return p.h.Data(), false }",
		promise: "and a Send",
		pkg:     "./internal/engine", run: "TestSimAny", tags: "tandem_sim",
	},
	{
		file: "internal/engine/pipe_recv.go",
		from: "	return y.there() || pipeState(e, 1-h.side) == pipeGone\n", to: "	return e != 0 && y.there()\n",
		promise: "the end of a pipe is something to receive",
		pkg:     "./internal/engine", run: "TestSimAny$", tags: "tandem_sim",
	},
}
