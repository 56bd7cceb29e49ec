package main

// Memory comes back when nobody uses it.
var roomMutations = []mutation{
	// A process that finds no room asks those that have removed objects open.
	{file: "shm/ask.go", from: "	return s.await()\n}", to: "	return s.asked && false\n}",
		promise: "others' garbage is no reason for ErrNoSpace", pkg: "./shm", run: "TestOthersAreAskedForRoom$"},
	{file: "shm/ask.go", from: "		a.ring(i)\n", to: "",
		promise: "A2: a process that is asked hears of it", pkg: "./shm", run: "TestAskingTakesMilliseconds$", env: []string{"TANDEM_TESTS=bars"}},
	{file: "shm/ask.go", from: "	a.drop() // B2\n", to: "",
		promise: "B2: what is answered has been done", pkg: "./shm", run: "TestAnswer$"},
	{file: "shm/ask.go", from: "	mem.Store32(r.P32(region.RecAnswered), asked)\n	a.tell()", to: "	mem.Store32(r.P32(region.RecAnswered), asked)",
		promise: "B4: an answer wakes who waits for it", pkg: "./shm", run: "TestAskingTakesMilliseconds$", env: []string{"TANDEM_FORCE=norelook", "TANDEM_TESTS=bars"}},
	{file: "shm/ask.go", from: "int32(mem.Load32(r.P32(region.RecAnswered))-number) >= 0", to: "mem.Load32(r.P32(region.RecAnswered)) == number",
		promise: "one answer serves all who asked before it", pkg: "./shm", run: "TestAnswer$"},
	{file: "shm/ask.go", from: "rest > 0 && (a.hasRemoved() || a.hasClosed()) {", to: "rest > 0 && false {",
		promise: "a process that is asked without end rests", pkg: "./shm", run: "TestAskedWithoutEnd$"},
	{file: "shm/ask.go", from: "	a.uses.rested = time.Now().Add(restShare * time.Since(begun))\n", to: "	_ = begun\n",
		promise: "a process that has collected rests", pkg: "./shm", run: "TestAskedWithoutEnd$"},
	{file: "shm/ask.go", from: "a.setAlarm(a.uses.rested)", to: "_ = rest",
		promise: "a process that has rested answers", pkg: "./shm", run: "TestAskedWithoutEnd$"},
	{file: "shm/ask.go", from: "region.StateOf(w) == region.StFree || a.isDeaf(r, region.EpochOf(w)) {", to: "region.StateOf(w) == region.StFree {",
		promise: "one who is stopped is waited for once", pkg: "./shm", run: "TestTheDeafAreWaitedForOnce$"},
	{file: "shm/ask.go", from: "	return region.EpochOf(w) != d.epoch || region.StateOf(w) == region.StFree || d.r", to: "	return w == 0 || d.r",
		promise: "a process that is gone owes nothing", pkg: "./shm", run: "TestTheGoneOweNothing$"},

	{file: "shm/backing.go", from: "first = uint32((uint64(data) - g.EntriesOff) / region.EntrySize)", to: "_ = data",
		promise: "of the entries those are read that may be in use", pkg: "./shm", run: "TestUnusedEntriesAreNotRead$"},

	// Address space is looked for, but not for long while others wait.
	{file: "shm/create.go", from: "	err = withRoom(func() (err error) {", to: "	err = func(f func() error) error { return f() }(func() (err error) {",
		promise: "Create looks for address space for its directory", pkg: "./shm", run: "TestAddressSpaceComesBack/many_objects$"},
	{file: "shm/mapping.go", from: "	err = withRoom(func() error {", to: "	err = func(f func() error) error { return f() }(func() error {",
		promise: "Open looks for address space for a look at the directory", pkg: "./shm", run: "TestAddressSpaceComesBackToWhoLooks$"},
	{file: "shm/addresses.go", from: "time.After(soonLimit)", to: "make(chan int)",
		promise: "a process that closes a region does not look for address space for long", pkg: "./shm", run: "TestCloseWithoutRoom$"},

	// The call that takes the last bit away sees to the memory.
	{file: "shm/recover.go", from: "	a.reclaimSoon()\n", to: "",
		promise: "a process that recovers the last user takes its memory back", pkg: "./shm", run: "TestMemoryComesBackByItself/its_user_is_killed$"},
	{file: "shm/close.go", from: "	reclaim()\n", to: "",
		promise: "the last user takes its memory back as it leaves", pkg: "./shm", run: "TestMemoryComesBackByItself/its_user_closes"},
	{file: "shm/reclaim.go", from: "err == nil && m.Abandoned() || seq&1 != 0 {", to: "err != nil && m.Abandoned() {",
		promise: "memory of what was never made comes back", pkg: "./shm", run: "TestMemoryComesBackByItself/its_maker_is_killed$"},
	{file: "shm/attachment.go", from: "	a.reclaimSoon() // what", to: "	// what",
		promise: "memory of those who all died comes back with the next", pkg: "./shm", run: "TestMemoryComesBackWithTheNext$"},
	{file: "shm/object_uses.go", from: "	if a.end(i, u, true) {\n		a.reclaimSoon()\n	}\n", to: "	a.end(i, u, true)\n",
		promise: "a process that drops the last handle takes the memory back", pkg: "./shm", run: "TestMemoryComesBackWithADroppedHandle$"},
	{file: "shm/dirlock.go", from: "	if l.release() && mem", to: "	if !l.release() && mem",
		promise: "a process that had the lock for long takes back what a leaver did not wait to", pkg: "./shm", run: "TestMemoryComesBackThoughTheLockIsHeld$"},
	{file: "internal/engine/mutex.go", from: "mem.CAS64(m.w, w, w|mutexWaiters) {", to: "mem.CAS64(m.w, w, w) {",
		promise: "a process that wants the lock and does not wait is heard of", pkg: "./internal/engine", run: "TestMutexWanted$"},
	{file: "shm/reclaim.go", from: "		if first {", to: "		if first && false {",
		promise: "who reclaims looks at all, wherever a creator left off", pkg: "./shm", run: "TestMemoryComesBackBehindACreator$"},
	{file: "shm/reclaim.go", from: "		if !w.Opened(n-1) &&", to: "		if !w.Opened(n-1) && w.Geo.Size == 0 &&",
		promise: "of two who end their uses at once one sees to the memory", pkg: "./shm", run: "TestSimTheLastSeesToTheMemory$", tags: "tandem_sim"},
}
