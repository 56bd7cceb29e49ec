package main

import "slices"

// Of a pipe's algorithm. The wrong variants are those that look right.
var pipeMutations = slices.Concat(pipeCallMutations, pipeEndMutations)

var pipeCallMutations = []mutation{
	{file: "internal/engine/pipe_recv.go",
		from:    "if pipeState(e, 1-h.side) == pipeGone { // V8",
		to:      "if pipeState(e, 1-h.side) != pipeNever && !h.p.anyHolds(1-h.side) { // V8",
		promise: "no sum of bits is of one instant: E says that an end is gone",
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
		from: `	y.sending.giveBack() // S7
	y.data.Ring(1)       // S8
`,
		to: `	y.data.Ring(1)       // S8
	y.sending.giveBack() // S7
`,
		promise: "S7 before S8: the unlock is the fence between the store and the look",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from: `	y.receiving.giveBack() // V6
	y.room.Ring(-1)        // V7
`,
		to: `	y.room.Ring(-1)        // V7
	y.receiving.giveBack() // V6
`,
		promise: "V6 before V7, likewise",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from:    "y.room.Ring(-1)        // V7",
		to:      "y.room.Ring(1)        // V7",
		promise: "V7: for all, since the one woken may find too little",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_send.go",
		from:    "	y.frame(pos, msg) // S5\n",
		to:      "	mem.Release64(y.w, pos+framed(uint64(len(msg))))\n	y.frame(pos, msg) // S5\n",
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
	{file: "internal/engine/pipe_send.go",
		from:    "	if ok, err := y.sending.take(s); !ok { // S1",
		to:      "	if w, bit := h.p.bit(h.side, h.p.env.Self.Index); mem.Load64(w) == bit {\n	} else if ok, err := y.sending.take(s); !ok { // S1",
		promise: "S1: also while no other process has the end",
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
		pkg:     "./internal/engine", run: "TestPipeInZeroes$"},
	{file: "internal/engine/pipe_recv.go",
		from:    "	if e == 0 {\n		return m, ErrGone\n	}\n",
		to:      "",
		promise: "V3: and so was R, or nothing is received",
		pkg:     "./internal/engine", run: "TestPipeInZeroes$"},
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
	{file: "internal/engine/pipe_recv.go",
		from:    "if h.closed.Load() { // V2",
		to:      "if false { // V2",
		promise: "V2: closed is looked at with the lock held",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_send.go",
		from:    "	if y := h.out; y != nil && y.isStarved() {\n",
		to:      "	if y := h.out; y != nil && false {\n",
		promise: "S0 is the fast path's, too",
		pkg:     "./ring", run: "TestPipeLongAmongShort$"},
	{file: "internal/engine/pipe_send.go",
		from:    "	y.data.Ring(1)       // S8\n",
		to:      "",
		promise: "S8: one who receives is told",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_recv.go",
		from:    "	y.room.Ring(-1)        // V7\n",
		to:      "",
		promise: "V7: those who send are told",
		pkg:     "./internal/engine", run: simPipe, tags: "tandem_sim"},
	{file: "internal/engine/pipe_send.go",
		from:    "	if used > y.bytes || (w|r)&7 != 0 {\n",
		to:      "	if (w|r)&7 != 0 {\n",
		promise: "S4: what cannot be is told, and no room is made of it",
		pkg:     "./internal/engine", run: "TestPipeBadPlaces$"},
	{file: "internal/engine/pipe_recv.go",
		from:    "if there = w - r; there > y.bytes || (w|r)&7 != 0 {",
		to:      "if there = w - r; (w|r)&7 != 0 {",
		promise: "V3: nor a message",
		pkg:     "./internal/engine", run: "TestPipeBadPlaces$"},
	{file: "internal/engine/pipe_send.go",
		from:    "return w, aligned(w)\n",
		to:      "return w, nil\n",
		promise: "no frame begins in the middle of a word",
		pkg:     "./internal/engine", run: "TestPipeBadPlaces$"},
	{file: "internal/engine/pipe_recv.go",
		from:    "	if err := aligned(r); err != nil {\n		return m, err\n	}\n",
		to:      "",
		promise: "nor is one read there",
		pkg:     "./internal/engine", run: "TestPipeBadPlaces$"},
	{file: "internal/engine/pipe_send.go",
		from:    "	defer q.over()\n",
		to:      "	defer func() {\n		if err == nil {\n			q.over()\n		}\n	}()\n",
		promise: "G1 of one whose context ends",
		pkg:     "./internal/engine", run: "TestPipeStarvingEnds$"},
	{file: "internal/engine/pipe_send.go",
		from:    "	if y.isStarved() {\n		if err := y.standBack(s); err != nil {\n			return 0, err\n		}\n	}\n",
		to:      "",
		promise: "S0: one that comes stands back",
		pkg:     "./internal/engine", run: "TestPipeStandsBack$"},
}

// simPipe is every world of it.
const simPipe = "TestSimPipe"
