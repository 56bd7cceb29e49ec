package main

// Spins that stay (internal/wait/hope.go).
var waitHopeMutations = []mutation{
	{file: "internal/wait/spin.go", from: "	case s.hope.now():", to: "	case false:",
		promise: "who is brought what it spins for stays now and then", pkg: "./internal/wait", run: "TestSpinnerHopes$"},
	{file: "internal/wait/hope.go", from: "	if !h.gave.Load() {\n		return false\n	}\n", to: "",
		promise: "not who slept in vain", pkg: "./internal/wait", run: "TestSpinnerHopes$"},
	{file: "internal/wait/hope.go", from: "int64(hopeAfter)<<n", to: "int64(hopeAfter)",
		promise: "the more seldom the longer that is in vain", pkg: "./internal/wait", run: "TestSpinnerHopes$"},
	{file: "internal/wait/spin.go", from: "			s.hope.helped()\n", to: "",
		promise: "at once where it had helped", pkg: "./internal/wait", run: "TestSpinnerHopes$"},
	{file: "internal/wait/spin.go", from: "	if !w.spin.stays {", to: "	if true {",
		promise: "who stays gives the processor to nobody when it looks up", pkg: "./internal/wait", run: "TestSpinnerStays$"},
	{file: "internal/wait/few.go", from: " || p.stays", to: "",
		promise: "nor as one who shares it", pkg: "./internal/wait", run: "TestSpinnerStays$"},
	{file: "internal/wait/spin.go", from: "		p.of.hope.gave.Store(false)\n", to: "",
		promise: "who slept in vain does not hope", pkg: "./internal/wait", run: "TestSpinnerStays$"},
	{file: "internal/wait/hope.go", from: "	case p.stays && !brought:", to: "	case p.stays:",
		promise: "what was brought while one stayed shows nothing", pkg: "./internal/wait", run: "TestSpinnerThatStayedLearns$"},
	{file: "internal/wait/hope.go", from: "		s.vain.Store(min(s.vain.Load(), vainMost/2))\n", to: "",
		promise: "who stayed, and it came, is hopeful", pkg: "./internal/wait", run: "TestSpinnerThatStayedLearns$"},
	{file: "internal/wait/hope.go", from: "		if p.few.are {\n", to: "		if false {\n",
		promise: "with one processor it is believed for a while that others answer", pkg: "./internal/wait", run: "TestSpinnerThatStayedLearns$"},
	{file: "internal/wait/hope.go", from: " && sys.MonotonicNow() < s.hope.trust.Load()", to: " && s.hope.trust.Load() != 0",
		promise: "not for ever", pkg: "./internal/wait", run: "TestSpinnerThatStayedLearns$"},
	{file: "internal/wait/few.go", from: " && (f.sure || f.had != sys.Switches())", to: "",
		promise: "what comes while the processor is given to nobody was seen by spinning", pkg: "./internal/wait", run: "TestSpinnerGivesItsProcessorToNobody$"},
}
