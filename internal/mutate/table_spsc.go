package main

import "slices"

// Of an SPSC's algorithm; its wrong variants are the ones that tempt.
var spscMutations = slices.Concat(spscCallMutations, spscEndMutations)

var spscCallMutations = []mutation{
	{file: "internal/engine/spsc_now.go",
		from: `	if at := u.at; at < s.span {
		return at
	}
	return 0
`,
		to:      "	return u.at\n",
		promise: "a slot is below span, and the first one comes after the last",
		pkg:     "./internal/engine", run: "TestSPSCPlaces$"},
	{file: "internal/engine/spsc_now.go",
		from:    "min(at+uintptr(min(u.left(), s.n))*s.size, s.span)",
		to:      "at+uintptr(min(u.left(), s.n))*s.size",
		promise: "one goes on as far as the last slot",
		pkg:     "./internal/engine", run: "TestSPSCPlaces$"},
	{file: "internal/engine/spsc_now.go",
		from:    "min(at+uintptr(min(u.left(), s.n))*s.size, s.span)",
		to:      "s.span",
		promise: "and as is known to be left",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_now.go",
		from:    "		u.plain = s.unfenced.Load()\n",
		to:      "		u.plain = true\n",
		promise: "who is not reached by the fences of others makes its own, after each message",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_now.go",
		from: `	mem.Release64(u.own, pos)                            // P3
	return mem.Load64(s.look)&(spscShut|bellAsleep) == 0 // P4
`,
		to: `	v := mem.Load64(s.look)
	mem.Release64(u.own, pos)
	return v&(spscShut|bellAsleep) == 0
`,
		promise: "P3 before P4",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/2_.PP_GGG_X.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_now.go",
		from:    "return mem.Load64(s.look)&(spscShut|bellAsleep) == 0 // P4",
		to:      "return mem.Load64(s.look)&bellAsleep == 0",
		promise: "P4 asks for X",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/2_.PP_GGG_X.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_now.go",
		from:    "return mem.Load64(s.look)&(spscShut|bellAsleep) == 0 // P4",
		to:      "return mem.Load64(s.look)&spscShut == 0",
		promise: "and for sleepers",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_now.go",
		from:    "return !s.space.Armed()   // G5",
		to:      "return true",
		promise: "G5 asks for them, too",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_now.go",
		from: `	if mem.Load64(s.look)&spscShut != 0 { // P0
		return nil
	}
	if u.left() == 0 {
`,
		to:      "	if u.left() == 0 {\n",
		promise: "P0 of who looks at head",
		pkg:     "./internal/engine", run: "TestSPSCAgain$"},
	{file: "internal/engine/spsc_now.go",
		from: `		if !u.mine || u.near(s) {
			return nil
		}
		used`,
		to: `		if u.near(s) {
			return nil
		}
		used`,
		promise: "who looks at head has the side",
		pkg:     "./internal/engine", run: "TestSPSCAgain$"},
	{file: "internal/engine/spsc_now.go",
		from: `		if !u.mine || u.near(s) {
			return nil
		}
		there`,
		to: `		if u.near(s) {
			return nil
		}
		there`,
		promise: "who looks at tail does",
		pkg:     "./internal/engine", run: "TestSPSCAgain$"},
	{file: "internal/engine/spsc_now.go",
		from: `		if !u.mine || u.near(s) {
			return nil
		}
		used`,
		to: `		if !u.mine {
			return nil
		}
		used`,
		promise: "and looks first how near the consumer is, once in 64 messages",
		pkg:     "./internal/engine", run: "TestSPSCAgainApart$"},
	{file: "internal/engine/spsc_now.go",
		from:    "if used >= s.n {",
		to:      "if used == s.n {",
		promise: "a head that cannot be is not believed",
		pkg:     "./internal/engine", run: "TestSPSCAgain$"},
	{file: "internal/engine/spsc_now.go",
		from:    "if there-1 >= s.n || mem.Load64(s.end) != 0 {",
		to:      "if there == 0 || mem.Load64(s.end) != 0 {",
		promise: "nor a tail",
		pkg:     "./internal/engine", run: "TestSPSCAgain$"},
	{file: "internal/engine/spsc_now.go",
		from:    "if there-1 >= s.n || mem.Load64(s.end) != 0 {",
		to:      "if there-1 >= s.n {",
		promise: "G1: and a look at tail is followed by one at end",
		pkg:     "./internal/engine", run: "TestSPSCAgain$"},
	{file: "internal/engine/spsc_put.go",
		from:    "		storeFenced(u.own, pos) // P3\n",
		to:      "		mem.Release64(u.own, pos)\n",
		promise: "so does a producer, after each message",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_get.go",
		from:    "		storeFenced(u.own, pos) // G4\n",
		to:      "		mem.Release64(u.own, pos)\n",
		promise: "and a consumer",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_now.go",
		from:    "if at >= u.upto || mem.Load64(s.look)&spscShut != 0 { // P0",
		to:      "if at >= u.upto {",
		promise: "P0: nothing is put after a Shutdown has returned",
		pkg:     "./internal/engine", run: "TestSimSPSCPutAfterShutdown$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_put.go",
		from:    "if u.left() < want || mem.Load64(s.look)&spscShut != 0 { // P0",
		to:      "if u.left() < want {",
		promise: "P0 of a run",
		pkg:     "./internal/engine", run: "TestSimSPSCPutAfterShutdown$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_put.go",
		from: `	if mem.Load64(s.look)&spscShut != 0 { // P0: whoever has the side
		return ErrShutdown
	}
`,
		to:      "",
		promise: "P0 of one who waits for room, too",
		pkg:     "./internal/engine", run: "TestSPSCEnd$"},
	{file: "internal/engine/spsc_put.go",
		from: `		if used > s.n {
			return badSPSC("%d messages in %d slots", used, s.n)
		}
`,
		to:      "",
		promise: "another's index is never further than slots away",
		pkg:     "./internal/engine", run: "TestSPSCCorrupt$"},
	{file: "internal/engine/spsc_put.go",
		from:    "n = s.decide(n) // E1",
		to:      "_ = 0",
		promise: "P4: a Put that stored when it was shut down asks for the end",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/2_.PP_GGG_X.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_put.go",
		from:    "n = s.decide(n) // E1",
		to:      "n = 0",
		promise: "E1: one word decides for both",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/2_.PP_GGG_X.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_put.go",
		from: `	s.items.Ring(-1)
	return n
`,
		to:      "	return n\n",
		promise: "P4: ring items",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_put.go",
		from: `	u.store(s) // P3
	v := mem.Load64(s.look)
`,
		to: `	v := mem.Load64(s.look)
	u.store(s) // P3
`,
		promise: "P3 before P4 of a run",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/2_.B_b_X.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_put.go",
		from: "	mem.Copy(mem.Place(unsafe.Add(s.slots, at)), src, first) // P2\n",
		to: `	mem.Release64(u.own, u.pos+k)
	mem.Copy(mem.Place(unsafe.Add(s.slots, at)), src, first) // P2
`,
		promise: "P2 before P3",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_put.go",
		from:    "mem.Load64(u.own) == u.pos {",
		to:      "false {",
		promise: "a message that was published in zeroes was not put",
		pkg:     "./internal/engine", run: "TestSPSCLatePut$"},
	{file: "internal/engine/spsc_get.go",
		from: "	mem.Copy(dst, mem.Place(unsafe.Add(s.slots, at)), first) // G3\n",
		to: `	mem.Release64(u.own, u.pos+k)
	mem.Copy(dst, mem.Place(unsafe.Add(s.slots, at)), first) // G3
`,
		promise: "G3 before G4",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=4,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_get.go",
		from:    "	s.space.Ring(-1) // G5\n",
		to:      "",
		promise: "G5: ring space, after a message",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
	{file: "internal/engine/spsc_get.go",
		from:    "if end := mem.Load64(s.end); end != 0 {",
		to:      "if end := mem.Load64(s.end); there == 0 && end != 0 {",
		promise: "G1: each look at tail is followed by one at end",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/2_.PP_GGG_X.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_get.go",
		from:    "there = min(there, end-1-u.pos)",
		to:      "_ = 0",
		promise: "G1: what lies beyond the end is not there",
		pkg:     "./internal/engine", run: "TestSPSCBeyondTheEnd$"},
	{file: "internal/engine/spsc_get.go",
		from: `		if err := s.conclude(u.pos); err != nil { // E2
			return err
		}
`,
		to:      "		return io.EOF\n",
		promise: "E2: a flag is not the end",
		pkg:     "./internal/engine", run: "TestSimSPSCExhaust/2_.PP_GGG_X.$", tags: "tandem_sim"},
	{file: "internal/engine/spsc_put.go",
		from:    "return int(below(s.lastEnd, u.pos, uint64(n)))",
		to:      "return n",
		promise: "the region's end decides for a Put whose P4 was in the zeroes",
		pkg:     "./ring", run: "TestSimCloseSPSCAtItsEnd$", tags: "tandem_sim"},
	{file: "ring/spsc_put.go",
		from:    "case s.closed.Load() && s.putIn(1) == 0:",
		to:      "case false:",
		promise: "a Put that Close comes upon says what it did",
		pkg:     "./ring", run: "TestSimCloseSPSC$/shutdown=false", tags: "tandem_sim"},
	{file: "ring/spsc_put.go",
		from: `	*(*T)(p) = v
	if !publishNow(e) {
		return s.putRest(opSPSCPut)
	}
`,
		to: `	now := publishNow(e)
	*(*T)(p) = v
	if !now {
		return s.putRest(opSPSCPut)
	}
`,
		promise: "a message is there before it is published",
		pkg:     "./ring", run: "TestSimCloseSPSC$/shutdown=false", tags: "tandem_sim"},
	{file: "ring/spsc_get.go",
		from: `	v = *(*T)(p)
	if !advanceNow(e) {
		return s.getRest(v, opSPSCGet)
	}
`,
		to: `	now := advanceNow(e)
	v = *(*T)(p)
	if !now {
		return s.getRest(v, opSPSCGet)
	}
`,
		promise: "and is copied before its place is given back",
		pkg:     "./ring", run: "TestSimCloseSPSC$/shutdown=false", tags: "tandem_sim"},
	{file: "ring/spsc_put.go",
		from: `	if s.closed.Load() {
		return s.putEnd(opSPSCPut, true)
	}
`,
		to:      "",
		promise: "after a look at closed, which comes last",
		pkg:     "./ring", run: "TestSimCloseSPSC$/shutdown=false", tags: "tandem_sim"},
	{file: "ring/spsc_get.go",
		from: `	if s.closed.Load() {
		return s.getEnd(v, opSPSCGet)
	}
`,
		to:      "",
		promise: "as a Get looks",
		pkg:     "./ring", run: "TestSimCloseSPSC$/shutdown=false", tags: "tandem_sim"},
	{file: "ring/spsc_put.go",
		from:    "if in := s.putIn(n); in < n {",
		to:      "if in := n; in < n {",
		promise: "so does a PutBatch",
		pkg:     "./ring", run: "TestSimCloseSPSC$/shutdown=false", tags: "tandem_sim"},
	{file: "ring/spsc_get.go",
		from: `	if s.closed.Load() && s.gotInZeroes() {
		return s.gotNone(`,
		to: `	if false {
		return s.gotNone(`,
		promise: "and a GetBatch",
		pkg:     "./ring", run: "TestSimCloseSPSC$/shutdown=false", tags: "tandem_sim"},
	{file: "internal/engine/spsc_get.go",
		from:    "return mem.Load64(s.get.own) == s.get.pos }",
		to:      "return false }",
		promise: "what was got in zeroes was not got",
		pkg:     "./ring", run: "TestSimCloseSPSC$/shutdown=false", tags: "tandem_sim"},
	{file: "internal/engine/spsc_put.go",
		from:    "	return v&(spscShut|bellAsleep) == 0 || s.heed(v, 1) == 1 // P4, which may be the second one\n",
		to:      "	return v&bellAsleep == 0 || s.heed(v, 1) == 1\n",
		promise: "P4 of who makes fences asks for X, too",
		pkg:     "./internal/engine", run: "TestSimSPSC$/kills=0,stops=0", tags: "tandem_sim"},
}
