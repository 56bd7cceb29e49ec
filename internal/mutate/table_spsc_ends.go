package main

// The sides of an SPSC, its end, and deaths.
var spscEndMutations = []mutation{
	{file: "internal/engine/spsc_side.go",
		from: `	ok, err := s.env.change(u.claim, 0, s.me) // T1
	if err != nil {
		return err
	}
	if !ok && mem.Load64(u.claim) != s.me { // ours, if it was taken by a handle that is gone
		return ErrBusy
	}
	pos := mem.Load64(u.own) // T2
`,
		to: `	pos := mem.Load64(u.own) // T2
	ok, err := s.env.change(u.claim, 0, s.me) // T1
	if err != nil {
		return err
	}
	if !ok && mem.Load64(u.claim) != s.me { // ours, if it was taken by a handle that is gone
		return ErrBusy
	}
`,
		promise: "T1 before T2: an index is read by who has the side",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=4,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_side.go",
		from:    "if !ok && mem.Load64(u.claim) != s.me { // ours",
		to:      "if !ok && mem.Load64(u.claim) == s.me { // ours",
		promise: "T1: a side has one live holder",
		pkg:     "./internal/engine", run: "TestSPSCSides$"},
	{file: "internal/engine/spsc_side.go",
		from: `	if at >= s.span {
		at -= s.span
	}
	u.at = at
`,
		to:      "	u.at = at\n",
		promise: "a slot is always at a position mod slots",
		pkg:     "./internal/engine", run: "TestSPSCPlaces$"},
	{file: "internal/engine/spsc_side.go",
		from:    "	u.upto = 0 // it was of where the side is no longer\n",
		to:      "",
		promise: "a run closes what was open",
		pkg:     "./internal/engine", run: "TestSPSCRunCloses$"},
	{file: "internal/engine/spsc_side.go",
		from:    "n = min(u.left(), want, s.n) // see slot",
		to:      "n = min(u.left(), want)",
		promise: "nor is a run longer than the slots",
		pkg:     "./internal/engine", run: "TestSPSCMisuse$"},
	{file: "internal/engine/spsc_side.go",
		from:    "return err == none || err == ErrBusy && s.Leaves != nil && u.leaves(s)",
		to:      "return err == none",
		promise: "T1: a call that waits does so while the holder is dead, and not recovered yet",
		pkg:     "./internal/engine", run: "TestSPSCWaitsForADeadOne$"},
	{file: "internal/engine/spsc_side.go",
		from:    "return v == 0 || s.Leaves(Self{uint32(v>>32) - 1, uint32(v)})",
		to:      "return s.Leaves(Self{uint32(v>>32) - 1, uint32(v)})",
		promise: "nor while nobody has it any more",
		pkg:     "./internal/engine", run: "TestSPSCWaitsForADeadOne$"},
	{file: "internal/engine/spsc_side.go",
		from:    "pos, pos, uintptr(pos%s.n)*s.size",
		to:      "pos, pos, 0",
		promise: "who takes a side over goes on in the slot of its index",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc.go",
		from:    "items: patientBell(a.W32(spscItems), env), space: patientBell(a.W32(spscSpace), env),",
		to:      "items: NewBell(a.W32(spscItems), env), space: patientBell(a.W32(spscSpace), env),",
		promise: "a consumer that sleeps makes the producer's fence",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/1_.p_g.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc.go",
		from:    "items: patientBell(a.W32(spscItems), env), space: patientBell(a.W32(spscSpace), env),",
		to:      "items: patientBell(a.W32(spscItems), env), space: NewBell(a.W32(spscSpace), env),",
		promise: "a producer that sleeps makes the consumer's fence",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/1_.pp_gg.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_side.go",
		from: `	if s.unfenced.Load() {
		mem.Release64(u.own, u.pos)
	} else {
		storeFenced(u.own, u.pos)
	}
`,
		to:      "	mem.Release64(u.own, u.pos)\n",
		promise: "who is not reached by the fences of others makes its own, after a run",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_apart.go",
		from:    "	u.looked = u.pos\n",
		to:      "",
		promise: "a side looks how near the other is once in 64 messages",
		pkg:     "./internal/engine", run: "TestSPSCApart$"},
	{file: "internal/engine/spsc_apart.go",
		from:    "u.left() < uint64(want) && ",
		to:      "",
		promise: "and not while it knows of enough",
		pkg:     "./internal/engine", run: "TestSPSCApart$"},
	{file: "internal/engine/spsc_end.go",
		from: `	s.syncForGood()
	if mem.Load64(s.get.other) != pos {
		return nil
	}
`,
		to:      "",
		promise: "E2: tail is looked at again",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/2_.PP_GGG_X.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_end.go",
		from:    "	s.syncForGood()\n",
		to:      "",
		promise: "E2: by a look that comes after the producer's fence",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/2_.PP_GGG_X.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_end.go",
		from:    "if !s.env.Sync() || s.env.Misses {",
		to:      "if !s.env.Sync() {",
		promise: "E2: nor does it rest on a fence that may miss the producer",
		pkg:     "./internal/engine", run: "TestSimSPSCFindsTheMissed$/at_the_end", tags: "tandem_sim"},
	{file: "internal/engine/spsc_end.go",
		from:    "s.env.change(s.end, 0, u.pos+1) //",
		to:      "s.env.change(s.end, 0, u.pos) //",
		promise: "E1: all that it stored",
		pkg:     "./internal/engine", run: "TestSPSCLatePut$"},
	{file: "internal/engine/spsc_end.go",
		from: `	mem.Or64(s.look, spscShut) // S1
	s.items.Bump()             // S2
	s.space.Bump()
`,
		to: `	s.items.Bump()             // S2
	s.space.Bump()
	mem.Or64(s.look, spscShut) // S1
`,
		promise: "S1 before S2",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/1_.(p_gg|pp_g)_X.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_end.go",
		from: `	s.items.Bump()             // S2
	s.space.Bump()
`,
		to:      "	s.items.Bump()             // S2\n",
		promise: "S2: producers that sleep, too",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/1_.pp_X.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_recover.go",
		from:    "for _, off := range []uint64{spscProducer, spscConsumer} {",
		to:      "for _, off := range []uint64{spscProducer} {",
		promise: "recovery gives up both sides",
		pkg:     "./internal/engine", run: "TestSPSCSides$"},
	{file: "internal/engine/spsc_recover.go",
		from: `		b := NewBell(a.W32(off), env)
		b.Bump()
`,
		to:      "		_ = off\n",
		promise: "recovery rings for what the dead one did",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=4,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_end.go",
		from: `	end := a.W64(spscEnd)
	mem.CAS64(end, 0, mem.Load64(a.W64(spscTail))+1)
`,
		to:      "	end := a.W64(spscEnd)\n",
		promise: "Leave is E1 where the producer could not do it",
		pkg:     "./ring", run: "TestSimCloseSPSCAtItsEnd$", tags: "tandem_sim"},
	{file: "shm/object_uses.go",
		from:    "	a.unhold(i, u)\n",
		to:      "",
		promise: "what a process has for as long as it has a handle ends with the last one",
		pkg:     "./ring", run: "TestSPSCGivenUp$"},
	{file: "shm/participants.go",
		from:    "return !alive || r.Alive()&sys.FutexOwnerDied != 0",
		to:      "return !alive && r.Alive()&sys.FutexOwnerDied == 1",
		promise: "who is dead soon has nothing",
		pkg:     "./ring", run: "TestSPSCAfterADeath$"},
	{file: "shm/ask.go",
		from:    "return a.hasClosed()\n",
		to:      "return false\n",
		promise: "Close of the last handle has the collector look",
		pkg:     "./ring", run: "TestSPSCGivenUp$/closed"},
	{file: "internal/engine/spsc_side.go",
		from:    "	ok, err := s.env.change(u.claim, 0, s.me) // T1\n",
		to:      "	ok, err := mem.CAS64(u.claim, 0, s.me), error(nil) // T1\n",
		promise: "T1: no side is taken in the zeroes",
		pkg:     "./internal/engine", run: "TestNothingChangesInZeroes$"},
	{file: "internal/engine/spsc_end.go",
		from:    "	_, err := s.env.change(s.end, 0, pos+1)\n	return err\n",
		to:      "	mem.CAS64(s.end, 0, pos+1)\n	return nil\n",
		promise: "E2: nor is there an end of them",
		pkg:     "./internal/engine", run: "TestNothingChangesInZeroes$"},
	{file: "internal/engine/spsc_end.go",
		from:    "	if mem.Load64(a.W64(spscProducer)) != s.me || mem.Load64(a.W64(spscItems))&spscShut == 0 {\n",
		to:      "	if mem.Load64(a.W64(spscProducer)) != s.me {\n",
		promise: "who leaves ends no stream that goes on",
		pkg:     "./ring", run: "TestSimCloseSPSC$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_end.go",
		from:    "	case end-1 <= from:\n		return 0\n",
		to:      "",
		promise: "E1: of what lies beyond the end nothing is in",
		pkg:     "./internal/engine", run: "TestSPSCLatePut$"},
	{file: "internal/engine/spsc.go",
		from:    "		tail = min(tail, end-1)\n",
		to:      "		_ = tail\n",
		promise: "what lies beyond the end is not counted",
		pkg:     "./internal/engine", run: "TestSPSCBeyondTheEnd$"},
	{file: "internal/engine/spsc_recover.go",
		from:    "		mem.CAS64(a.W64(off), spscName(dead), 0)\n",
		to:      "		mem.Store64(a.W64(off), 0)\n",
		promise: "recovery takes no side from one that lives",
		pkg:     "./internal/engine", run: "TestSPSCSides$"},
}
