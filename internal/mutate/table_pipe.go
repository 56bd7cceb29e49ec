package main

// Of a pipe's algorithm. The wrong variants are those that look right.
var pipeMutations = []mutation{
	{file: "internal/engine/pipe_apart.go",
		from:    "	see(&s.looked, seen(&s.count))\n",
		to:      "",
		promise: "one looks how near the others are once in 64 messages",
		pkg:     "./internal/engine", run: "TestPipeApart$"},
	{file: "internal/engine/pipe_apart.go",
		from:    " && seen(&y.seenW) == mem.Load64(y.r)",
		to:      "",
		promise: "and not while one knows of more",
		pkg:     "./internal/engine", run: "TestPipeApart$"},
	{file: "internal/engine/pipe_apart.go",
		from:    " && y.bytes >= apartLeast*pipeUnit",
		to:      "",
		promise: "nor in a short ring",
		pkg:     "./internal/engine", run: "TestPipeApart$"},
	{file: "internal/engine/pipe_apart.go",
		from:    "}, apartClose*pipeUnit, y.bytes/4)",
		to:      "}, y.bytes, y.bytes/4)",
		promise: "who is far from the others goes on",
		pkg:     "./internal/engine", run: "TestPipeApart$"},
	{file: "internal/engine/pipe_recv.go",
		from:    "if pipeState(e, 1-h.side) == pipeGone { // V8",
		to:      "if pipeState(e, 1-h.side) != pipeNever && !h.p.anyHolds(1-h.side) { // V8",
		promise: "no sum of bits is of one instant: E says that an end is gone",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_ends.go",
		from:    "next := e + pipeOpening + (pipeOpen-state)",
		to:      "next := e | pipeOpening + (pipeOpen-state)",
		promise: "O3: every opening changes E, so that T3 fails",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from: `	e := mem.Load64(h.p.e)
	if e == 0 {
		return m, ErrGone
	}
	there := seen(&y.seenW) - r
	if there == 0 || there > y.bytes {
		w := mem.Load64(y.w)
`,
		to: `	w := mem.Load64(y.w)
	e := mem.Load64(h.p.e)
	if e == 0 {
		return m, ErrGone
	}
	there := seen(&y.seenW) - r
	if there == 0 || there > y.bytes {
`,
		promise: "V3: E before W",
		pkg:     "./internal/engine", run: "TestSimPipeExhaust/..sc_.gg.$", tags: "tandem_sim"},
	{file: "internal/engine/pipe_send.go",
		from: `	y.sending.giveBack()    // S7
	y.data.Ring(1)          // S8
`,
		to: `	y.data.Ring(1)          // S8
	y.sending.giveBack()    // S7
`,
		promise: "S7 before S8: the unlock is the fence between the store and the look",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from: `	y.receiving.giveBack()  // V6
	y.room.Ring(-1)         // V7
`,
		to: `	y.room.Ring(-1)         // V7
	y.receiving.giveBack()  // V6
`,
		promise: "V6 before V7, likewise",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from:    "y.room.Ring(-1)         // V7",
		to:      "y.room.Ring(1)         // V7",
		promise: "V7: for all, since the one woken may find too little",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_send.go",
		from:    "	mem.CopyWord(y.header(pos), unsafe.Pointer(&n)) // S5\n",
		to:      "	mem.Release64(y.w, pos+framed(n))\n	mem.CopyWord(y.header(pos), unsafe.Pointer(&n)) // S5\n",
		promise: "S5 before S6",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from:    "	return Received{y: y, pos: r + pipeFrame, n: n}, nil // V4\n",
		to:      "	mem.Release64(y.r, r+framed(n))\n	return Received{y: y, pos: r + pipeFrame, n: n}, nil // V4\n",
		promise: "V5 after the copy",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_send.go",
		from:    "if ok, err := y.sending.take(s); !ok { // S1",
		to:      "if ok, err := true, error(nil); !ok { // S1",
		promise: "S1: one sender at a time",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from:    "if ok, err := y.receiving.take(s); !ok { // V1",
		to:      "if ok, err := true, error(nil); !ok { // V1",
		promise: "V1: one receiver at a time",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from: `	if err != nil {
		y.receiving.giveBack()
		return Received{}, err
	}
`,
		to: `	if err != nil {
		if err != ErrEmpty || s == nil {
			y.receiving.giveBack()
		}
		return Received{}, err
	}
`,
		promise: "V9: no lock is held in a sleep",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recover.go",
		from: `			y.data.Bump()
			y.room.Bump()
			y.turn.Bump()
`,
		to:      "			_ = y\n",
		promise: "R3: bump all bells, in any case",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recover.go",
		from:    "		p.tryEnd(side)\n",
		to:      "		_ = side\n",
		promise: "R2: whoever takes a bit away ends the end",
		pkg:     "./internal/engine", run: "TestPipeRecovery$"},
	{file: "internal/engine/pipe_recover.go",
		from:    "err = errors.Join(err, y.sending.takeFrom(dead, false), y.receiving.takeFrom(dead, false))",
		to:      "err = errors.Join(err, y.receiving.takeFrom(dead, false))",
		promise: "R1: the dead one's locks are free",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recover.go",
		from:    "err = errors.Join(err, y.sending.takeFrom(dead, false), y.receiving.takeFrom(dead, false))",
		to:      "err = errors.Join(err, y.sending.takeFrom(dead, true), y.receiving.takeFrom(dead, true))",
		promise: "R1: and not abandoned",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_ends.go",
		from:    "		y.data.Ring(-1)\n",
		to:      "		_ = y\n",
		promise: "T4: those who receive are told",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_ends.go",
		from:    "		y.room.Ring(-1)\n",
		to:      "		_ = y\n",
		promise: "T4: those who send are told",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_ends.go",
		from:    "pipeState(e, side) != pipeOpen || p.anyHolds(side) {",
		to:      "pipeState(e, side) != pipeOpen {",
		promise: "T2: an end that somebody holds is not gone",
		pkg:     "./internal/engine", run: "TestPipeEnds$"},
	{file: "internal/engine/pipe_ends.go",
		from:    "	mem.Or64(w, bit) // O1\n",
		to:      "	defer mem.Or64(w, bit) // O1\n",
		promise: "O1 before O3",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_ends.go",
		from:    "			mem.And64(w, ^bit)\n",
		to:      "			_ = bit\n",
		promise: "O2: one who finds the end gone leaves no bit",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_ends.go",
		from:    "n < copyingMost && p.copying(h.side); n++ { // C3",
		to:      "n < 0; n++ { // C3",
		promise: "C3: the end is held until the own copies are over",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_send.go",
		from:    "if h.closed.Load() { // S2",
		to:      "if false { // S2",
		promise: "S2: closed is looked at with the lock held",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from:    "	if slept {\n",
		to:      "	if slept && false {\n",
		promise: "a Poll that slept passes its wake-up on",
		pkg:     "./internal/engine", run: "TestSimPipeLeaver$/Poll", tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from:    "	if err != nil && slept {\n",
		to:      "	if err != nil && slept && false {\n",
		promise: "so does a Recv whose context ends",
		pkg:     "./internal/engine", run: "TestSimPipeLeaver$/Recv", tags: "tandem_sim"},
	{file: "internal/engine/pipe_send.go",
		from:    "	case pipeState(e, 1-h.side) == pipeGone:\n		return 0, ErrPeerGone\n",
		to:      "",
		promise: "S3: nothing is sent to an end that is gone",
		pkg:     "./internal/engine", run: "TestPipeEnds$"},
	{file: "internal/engine/pipe_send.go",
		from:    "if used := w - seen(&y.seenR); used <= y.bytes && y.bytes-used >= need {",
		to:      "if used := w - seen(&y.seenR); used <= y.bytes {",
		promise: "S4: a sender writes where there is room",
		pkg:     "./internal/engine", run: "TestPipeBoundaries$"},
	{file: "internal/engine/pipe_recv.go",
		from:    "if n > h.p.most || framed(n) > there {",
		to:      "if n > h.p.most {",
		promise: "a frame is never longer than what was sent",
		pkg:     "./internal/engine", run: "TestPipeBadFrame$"},
	{file: "internal/engine/pipe_send.go",
		from:    "	case e == 0:\n		return 0, ErrGone\n",
		to:      "",
		promise: "S3: W was loaded in the region, or nothing is sent",
		pkg:     "./ring", run: "TestSimClosePipeAtItsBeginning$", tags: "tandem_sim", args: []string{"-runs", "60000"}},
	{file: "internal/engine/pipe_send.go",
		from:    "return mem.Load64(h.out.w) == pos }",
		to:      "return false }",
		promise: "what was sent in zeroes was not sent",
		pkg:     "./ring", run: "TestSimClosePipe$", tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from:    "return mem.Load64(h.in.r) == pos }",
		to:      "return false }",
		promise: "what was received in zeroes was not received",
		pkg:     "./ring", run: "TestSimClosePipe$", tags: "tandem_sim"},
	{file: "ring/marshal.go",
		from:    "	object.Carried(c.hold)\n",
		to:      "",
		promise: "an end in an argument is held until the child has it",
		pkg:     "./proc", run: "TestPipe(InFlight|FlightsEnd)$"},
	{file: "proc/child_linux.go",
		from:    "	landed(h)\n",
		to:      "",
		promise: "the flight ends when the child has its argument",
		pkg:     "./proc", run: "TestPipeInFlight$"},
	{file: "ring/pipe.go",
		from:    "	runtime.AddCleanup(core, connected.end, connected{c.end, core.Whole()})\n",
		to:      "	runtime.KeepAlive(core)\n",
		promise: "an end is given up when nothing reaches its handle",
		pkg:     "./ring", run: "TestPipeDropped$"},
	{file: "ring/pipe.go",
		from:    "		s.Over = engine.PipeOver\n",
		to:      "		return nil, err\n",
		promise: "when both ends are gone the pipe is made anew",
		pkg:     "./ring", run: "TestPipeEnd$"},
	{file: "shm/object.go",
		from:    "if found && (s.Over == nil || old.Kind != s.Kind || !s.Over(a.Words(&old))) {",
		to:      "if found && (s.Over == nil || old.Kind != s.Kind) {",
		promise: "what is in use is not made anew, who else may think so",
		pkg:     "./ring", run: "TestPipe(End|AnewAtOnce)$"},
	{file: "internal/engine/pipe_recv.go",
		from:    "if h.closed.Load() { // V2",
		to:      "if false { // V2",
		promise: "V2: closed is looked at with the lock held",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recover.go",
		from: `	for side := range p.ways { // R2
		w, bit := p.bit(side, dead.Index)
		mem.And64(w, ^bit)
		p.tryEnd(side)
	}
	for _, y := range p.ways { // R3
		if y != nil {
			mem.Store32(y.starving, 0)
			y.data.Bump()
			y.room.Bump()
			y.turn.Bump()
		}
	}
`,
		to: `	for _, y := range p.ways { // R3
		if y != nil {
			mem.Store32(y.starving, 0)
			y.data.Bump()
			y.room.Bump()
			y.turn.Bump()
		}
	}
	ways := p.ways
	p.ways = [2]*pipeWay{}
	for side := range p.ways { // R2
		w, bit := p.bit(side, dead.Index)
		mem.And64(w, ^bit)
		p.tryEnd(side)
	}
	p.ways = ways
`,
		promise: "R3 comes last, and is not instead of T4",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe.go",
		from:    "		mem.Copy(y.ring, unsafe.Add(from, first), n-first)\n",
		to:      "		_ = from\n",
		promise: "a body that wraps is in two parts",
		pkg:     "./internal/engine", run: "TestPipeBoundaries$"},
	{file: "internal/engine/pipe.go",
		from:    "		mem.Copy(unsafe.Add(to, first), y.ring, n-first)\n",
		to:      "		_ = to\n",
		promise: "and is copied out so",
		pkg:     "./internal/engine", run: "TestPipeBoundaries$"},
	{file: "internal/engine/pipe_room.go",
		from:    "		mem.Store32(q.y.starving, 1) // H1\n",
		to:      "",
		promise: "H1: a long message does not wait for ever among short ones",
		pkg:     "./ring", run: "TestPipeLongAmongShort$"},
	{file: "internal/engine/pipe_room.go",
		from:    "		if s.Now()-q.since <= patience || mem",
		to:      "		if mem",
		promise: "H1: nobody is starving before its time",
		pkg:     "./internal/engine", run: "TestPipeStarving$"},
	{file: "internal/engine/pipe_room.go",
		from:    " || mem.Load64(q.y.w) == q.sent {",
		to:      " {",
		promise: "H1: nor where nobody else sends",
		pkg:     "./internal/engine", run: "TestPipeStarving$"},
	{file: "internal/engine/pipe_room.go",
		from:    "	if mem.Load32(q.y.starving) == 0 {\n",
		to:      "	if mem.Load32(q.y.starving) == 0 && q.since == 0 {\n",
		promise: "H1 again, where another has said that it is over",
		pkg:     "./internal/engine", run: "TestPipeStarving$"},
	{file: "internal/engine/pipe_room.go",
		from:    "		mem.Store32(q.y.starving, 0) // G1\n",
		to:      "",
		promise: "G1: whoever was starving is not when it ends",
		pkg:     "./internal/engine", run: "TestPipeStarvingEnds$"},
	{file: "internal/engine/pipe_room.go",
		from:    "		q.y.turn.Ring(-1)            // G2\n",
		to:      "",
		promise: "G2: those that stand back are told",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_room.go",
		from:    "if !y.isStarved() || s.Now() > until { // K2",
		to:      "if s.Now() > until { // K2",
		promise: "K2: a look after turn is armed",
		pkg:     "./internal/engine", run: "TestPipeStandsBack$"},
	{file: "internal/engine/pipe_room.go",
		from:    "if !y.isStarved() || s.Now() > until { // K2",
		to:      "if !y.isStarved() { // K2",
		promise: "K3: one that is stopped while it is starving costs patience, and no more",
		pkg:     "./internal/engine", run: "TestSimPipeStarvingStopped$", tags: "tandem_sim"},
	{file: "internal/engine/pipe_send.go",
		from:    "	if y := h.out; y != nil && y.isStarved() {\n",
		to:      "	if y := h.out; y != nil && false {\n",
		promise: "S0 is the fast path's, too",
		pkg:     "./ring", run: "TestPipeLongAmongShort$"},
	{file: "internal/engine/pipe_recover.go",
		from:    "			mem.Store32(y.starving, 0)\n",
		to:      "",
		promise: "R3: a dead one is not starving",
		pkg:     "./internal/engine", run: "TestPipeStarvingDies$"},
}

// simPipe is every world of it.
const simPipe = "TestSimPipe"
