package main

// The life of processes and regions: who is dead, what a handle is on, when a
// region ends, and which names there are.
var lifeMutations = []mutation{
	// What is unknown proves nothing.
	{file: "shm/me.go", from: "if m.err != nil {\n\t\treturn region.Identity{PID: uint32(myPID)}", to: "if false {\n\t\treturn region.Identity{PID: uint32(myPID)}", promise: "a start time that could not be read is recorded as unknown", pkg: "./shm", run: "TestUnknownIsNotDead$|TestRecordOfTheUnknown$"},
	{file: "shm/me.go", from: "m.near(id) && id.Start != 0 && sys.Ended", to: "m.near(id) && sys.Ended", promise: "a start time of 0, as earlier builds wrote it, proves nothing", pkg: "./shm", run: "TestAskedOnlyOfTheKnown$"},
	{file: "shm/me.go", from: "return id.NS != 0 && id.NS == m.namespace", to: "return id.NS == m.namespace", promise: "two processes of unknown namespaces are not neighbours", pkg: "./shm", run: "TestAskedOnlyOfTheKnown$"},
	{file: "shm/me.go", from: "if m := me.Load(); m == nil || m.err != nil {", to: "if m := me.Load(); m == nil {", promise: "a process that could not read who it is looks again when it attaches", pkg: "./shm", run: "TestUnknownIsNotDead$"},
	{file: "shm/attachment.go", from: "\tlookAtMyself()\n", to: "", promise: "a process that could not read who it is looks again when it attaches", pkg: "./shm", run: "TestUnknownIsNotDead$"},
	{file: "internal/sys/process_linux.go", from: "if err != nil && !errors.Is(err, unix.ENOENT) { // ENOENT", to: "if false && !errors.Is(err, unix.ENOENT) { // ENOENT", promise: "a time namespace that cannot be looked at is not none", pkg: "./internal/sys", run: "TestNamespaceIsKnownWholeOrNot$"},
	{file: "internal/sys/process_linux.go", from: "me := strconv.Itoa(os.Getpid()); self != me {", to: "me := strconv.Itoa(os.Getpid()); false {", promise: "/proc of another namespace is not asked", pkg: "./internal/sys", run: "TestNamespaceIsKnownWholeOrNot$"},
	{file: "internal/sys/process_linux.go", from: "if err != nil || n != len(tasks) || n == 0 {", to: "if err != nil || n == 0 {", promise: "a list that misses a thread is no proof", pkg: "./internal/sys", run: "TestEndedOnlyWithAProof$"},
	{file: "internal/sys/process_linux.go", from: "|| n == 0 {", to: "{", promise: "an empty list of threads is no proof", pkg: "./internal/sys", run: "TestEndedOnlyWithAProof$"},
	{file: "internal/sys/process_linux.go", from: "\tif err != nil {\n\t\treturn false\n\t}\n\tif s := f[statState][0]", to: "\tif err != nil {\n\t\treturn true\n\t}\n\tif s := f[statState][0]", promise: "a thread that has gone, or cannot be read, may have left another", pkg: "./internal/sys", run: "TestEndedOnlyWithAProof$"},
	{file: "internal/sys/process_linux.go", from: "return all(dir, tasks, ends) || isGone(pid)", to: "return true", promise: "the threads counted are the threads listed", pkg: "./internal/sys", run: "TestEndedWhileThreadsChange$"},

	{file: "internal/sys/process_linux.go", from: " || dumping(pid) && noneRuns(pid, exitsOrDumps)", to: "", promise: "a process that writes a core file is as good as gone", pkg: "./internal/sys", run: "TestEndedOnlyWithAProof$"},
	{file: "internal/sys/process_linux.go", from: "dumping(pid) && noneRuns(pid, exitsOrDumps)", to: "noneRuns(pid, exitsOrDumps)", promise: "a thread without SIGKILL pending runs, but for a dump", pkg: "./internal/sys", run: "TestEndedOnlyWithAProof$"},
	{file: "internal/sys/dump_linux.go", from: "return err == nil && pending&kill == 0", to: "return err == nil && pending|kill != 0", promise: "a thread that has not taken its SIGKILL may be in user code", pkg: "./internal/sys", run: "TestEndedOnlyWithAProof$"},
	{file: "internal/sys/dump_linux.go", from: "return err == nil && pending&kill == 0", to: "return (err == nil || true) && pending&kill == 0", promise: "a thread of which nothing is known may be in user code", pkg: "./internal/sys", run: "TestEndedOnlyWithAProof$"},

	// A handle is on an object.
	{file: "shm/object.go", from: "if r.only != 0 && e.Gen != r.only {", to: "if false && e.Gen != r.only {", promise: "a handle never arrives at another object", pkg: "./test/messages", run: "TestStaleHandle$"},
	{file: "shm/object_uses.go", from: ", Object: e.Text(), Generation: e.Gen}", to: ", Object: e.Text()}", promise: "a handle travels with its generation", pkg: "./test/messages", run: "TestStaleHandle$"},
	{file: "shm/registry.go", from: "r.existing, r.only = true, ref.Generation", to: "r.only = ref.Generation", promise: "what arrives only finds", pkg: "./test/messages", run: "TestStaleHandle$"},
	{file: "sync/cond.go", from: "ref.Lock = c.lock.core.Ref.Generation", to: "ref.Lock = 0", promise: "a Cond arrives with the lock that it was sent with", pkg: "./test/messages", run: "TestStaleLock$"},
	{file: "sync/cond.go", from: "return c.open(r, locks, ref.Object, \"\"", to: "return c.open(r, locks.Existing(), ref.Object, \"\"", promise: "a Cond arrives with the lock that it was sent with", pkg: "./test/messages", run: "TestStaleLock$"},
	{file: "ring/marshal.go", from: "codecNamed(core.Field(\"codec\"))", to: "codecNamed(plainName)", promise: "a queue arrives with the codec that it was made with", pkg: "./ring", run: "TestHandleTravels$"},
	{file: "internal/object/arrive.go", from: "r, err := find(ref)", to: "r, err := find(Ref{}.On(ref.Key()))", promise: "a handle never arrives at another object", pkg: "./test/messages", run: "TestStaleHandle$"},
	{file: "shm/registry.go", from: "case k.File != sys.FileID{} && a.file != k.File:", to: "case false:", promise: "of a region and its copy none is taken for the other", pkg: "./shm", run: "TestTwoOfOneID$"},
	{file: "shm/registry.go", from: "case found != nil:\n\t\t\treturn nil", to: "case false:\n\t\t\treturn nil", promise: "a process that knows no more than an id takes none of two", pkg: "./shm", run: "TestTwoOfOneID$"},
	{file: "shm/attachment.go", from: "	a, err = newAttachment(v, end)\n", to: "	registry.mu.Lock()\n	a, err = newAttachment(v, end)\n	registry.mu.Unlock()\n", promise: "who attaches to a region keeps nobody from another", pkg: "./shm", run: "TestAttachingAlone$"},
	{file: "shm/registry.go", from: "		awaitComing(k)\n", to: "", promise: "a region that another goroutine is opening is waited for", pkg: "./shm", run: "TestAttachingAlone$"},
	{file: "shm/registry.go", from: "		case a == nil && wait == nil:", to: "		case a == nil:", promise: "one process has one record in a region", pkg: "./shm", run: "TestAttachingAlone$"},
	{file: "internal/object/ref.go", from: "r.Region, r.Dev, r.Ino = k.ID, k.File.Dev, k.File.Ino", to: "r.Region = k.ID", promise: "a handle travels with its region's file", pkg: "./proc", run: "TestCopyBeside$"},
	{file: "sync/cond.go", from: "object.Ref{Generation: ref.Lock}.On(ref.Key())", to: "object.Ref{Region: ref.Region, Generation: ref.Lock}", promise: "a Cond's lock is looked for where the Cond is", pkg: "./sync", run: "TestCondBesideACopy$"},
	{file: "shm/close.go", from: "a.depart() //", to: "//", promise: "what is detached is closed", pkg: "./shm", run: "TestTwoOfOneID$"},

	// An ephemeral region ends with its last, and not before.
	{file: "shm/handon.go", from: "if err = shareLife(f); err == nil {", to: "if err == nil {", promise: "a region does not end under a child that was just started", pkg: "./proc", run: "TestParentClosesFirst$|TestParentDiesFirst$"},
	{file: "shm/handon.go", from: "	p.End = end\n", to: "", promise: "a child that dies on its way leaves nothing", pkg: "./proc", run: "TestChildNeverArrives$"},
	{file: "proc/start_linux.go", from: "\tl.regions.ended()\n", to: "", promise: "a child that dies on its way leaves nothing", pkg: "./proc", run: "TestChildNeverArrives$"},
	{file: "proc/launch_linux.go", from: "\t\tl.regions.close()\n\t\treturn nil", to: "\t\treturn nil", promise: "the parent's share ends with Start", pkg: "./proc", run: "TestChildNeverArrives$|TestParentClosesFirst$"},
	{file: "shm/handon.go", from: "if f, err = sys.Reopen(a.fd, true); err != nil {", to: "if f, err = sys.Dup(a.fd); err != nil {", promise: "the share on its way is not the parent's own", pkg: "./shm", run: "TestHandOnOfAMovedFile$"},
	{file: "shm/handon.go", from: "== 0 || a.readOnly {", to: "== 0 {", promise: "a process that only looks keeps no region alive", pkg: "./shm", run: "TestHandOnReadOnly$"},
	{file: "shm/ephemeral.go", from: "if binary.LittleEndian.Uint32(b[:]) == region.LifeGone {\n\t\treturn errGone", to: "if false {\n\t\treturn errGone", promise: "nobody comes into a region that has ended", pkg: "./shm", run: "TestEphemeralEndsUnderANewcomer$|TestNoShareOfTheEnded$"},
	{file: "shm/open.go", from: "\tv.path = \"\"\n", to: "", promise: "by a descriptor the name does not matter", pkg: "./shm", run: "TestDescriptorNeedsNoName$"},
	{file: "shm/open.go", from: "\tr.a.isAt(path)\n", to: "\t_ = path\n", promise: "a process that came by a descriptor takes the name away when it is the last", pkg: "./shm", run: "TestLastByDescriptorTakesTheName$"},
	{file: "shm/ephemeral.go", from: "return true, takeAway(f, id, path)", to: "takeAway(f, id, path)\n\t\treturn true, nil", promise: "what cannot be taken away is told at once", pkg: "./shm", run: "TestStickyDirectory$"},
	{file: "shm/ephemeral.go", from: "return takeAway(a.private, a.file, a.where())", to: "takeAway(a.private, a.file, a.where())\n\treturn nil", promise: "a Close that cannot take the name away says so", pkg: "./shm", run: "TestStickyDirectory$"},
	{file: "shm/create.go", from: "if room, err := endNamed(path); err != nil {", to: "if room, err := endNamed(path); false {", promise: "Create says why it cannot make room", pkg: "./shm", run: "TestStickyDirectory$"},

	// What is not to be had is not taken for what may come.
	{file: "internal/sys/file_linux.go", from: "if err = NoProc(err); err != nil {", to: "if err != nil {", promise: "without /proc a region is not called absent", pkg: "./shm", run: "TestWithoutProc$"},
	{file: "internal/sys/process_linux.go", from: "if _, e := os.Readlink(\"/proc/self\"); e == nil {", to: "if false {", promise: "a directory that is not there is no missing /proc", pkg: "./proc", run: "TestBadOptions$"},
	{file: "proc/launch_linux.go", from: "if p := sys.NoProc(err); p != err {", to: "if p := sys.NoProc(nil); p != nil {", promise: "without /proc the program is not called absent", pkg: "./proc", run: "TestStartWithoutProc$"},

	{file: "shm/birth.go", from: "return b, noFile(dir, err)", to: "return b, err", promise: "no inode left is ErrNoSpace", pkg: "./shm", run: "TestNoInodeLeft$"},
	{file: "internal/sys/map_linux.go", from: "\tfills := fillsMappings()", to: "\tfills := false", promise: "mlockall takes no memory of a sparse region", pkg: "./shm", run: "TestLockedMemory$"},
	{file: "internal/sys/map_linux.go", from: "if n > 1<<20 && fillsMappings() {", to: "if false {", promise: "mlockall takes no memory when a region is closed", pkg: "./shm", run: "TestLockedMemory$"},

	// What is shown misleads nobody.
	{file: "internal/visible/visible.go", from: ", unicode.Bidi_Control)", to: ")", promise: "a name does not turn round what stands beside it", pkg: "./internal/visible", run: "TestText$"},
	{file: "shm/snapshot_who.go", from: "Elsewhere: p.Elsewhere}", to: "}", promise: "a process that holds something is told from the processes of this namespace", pkg: "./shm", run: "TestPIDsOfAnotherNamespace$"},
	{file: "shm/snapshot_text.go", from: "visible.Text(h.Name)", to: "h.Name", promise: "a process that keeps the directory from being checked is named by text", pkg: "./shm", run: "TestNamesAreShownAsText$"},
	{file: "shm/snapshot_object.go", from: "		case !o.counts():\n", to: "		case false:\n", promise: "who has a side, or an end, has not so many of it", pkg: "./ring", run: "TestSPSCSnapshot$|TestPipeSnapshot$"},
	{file: "shm/snapshot_who.go", from: "uint32(mem.Load64(r.P64(region.RecPIDNS))), uint32(me.Load().namespace)", to: "mem.Load64(r.P64(region.RecPIDNS)), me.Load().namespace", promise: "of namespaces the pid's counts", pkg: "./shm", run: "TestPIDsOfAnotherNamespace$"},
	{file: "internal/region/header.go", from: "flags, knownFlags(), ErrVersion)", to: "flags, knownFlags(), ErrCorrupt)", promise: "an unknown flag is another layout", pkg: "./shm", run: "TestOpenRefusesDamage$"},
	{file: "shm/ephemeral.go", from: "err != nil || st.Mode&ephemeralMark == 0 {", to: "err != nil || st.Size < 0 {", promise: "a sweep closes no file of others, and so takes away no lock on one", pkg: "./shm", run: "TestSweepKeepsLocksOfOthers$"},
	{file: "shm/create.go", from: "mode|ephemeralMark)", to: "mode)", promise: "what dead processes left of an ephemeral region is taken away by who comes next", pkg: "./shm", run: "TestEphemeral"},
	{file: "shm/create.go", from: "\t\tmode &^= 0o111 ", to: "\t\t", promise: "an anonymous region may have any permissions", pkg: "./shm", run: "TestAnonymousModes$"},
	{file: "shm/ephemeral.go", from: "|| v.isCopy() {\n\t\treturn false, nil\n", to: "{\n\t\treturn false, nil\n", promise: "a copy of an ephemeral region is not ended by who makes another of its name", pkg: "./shm", run: "TestSweepLeavesCopies$"},
	{file: "shm/ephemeral.go", from: "\tif v.isCopy() {\n\t\treturn nil\n\t}\n", to: "", promise: "a copy of an ephemeral region can be looked at", pkg: "./shm", run: "TestSweepLeavesCopies$"},
	{file: "shm/participants.go", from: "	runtime.AddCleanup(held, a.watch.unsubscribe, sub) // where nobody ever asks\n", to: "	_ = runtime.GC\n", promise: "an Exits that nobody ranges over is told nothing for ever", pkg: "./shm", run: "TestForgottenExits$"},
	{file: "shm/reclaim.go", from: "vain < vainTurns && passed <= uint64(a.Geo.Objects); first", to: "vain < vainTurns; first", promise: "a chain of removed objects without an end ends no Close, and no process's reclaiming", pkg: "./shm", run: "TestCollectingACircleEnds$"},
	{file: "shm/recover.go", from: "known := w.recoverObject(env, dead, engine.KindMutex, w.Sub(region.HdrDirLock, engine.MutexSize))", to: "lock, _ := engine.OpsOf(engine.KindMutex)\n\tknown := lock.Recover(w.Sub(region.HdrDirLock, engine.MutexSize), env, dead) == nil", promise: "a directory's lock that is damaged costs no participant's place", pkg: "./shm", run: "TestDamagedLockKeepsNoPlace$"},
	{file: "internal/sys/file_linux.go", from: "step = max(step/2&^(page-1), page)", to: "step = max(step, page)", promise: "signals keep nobody from getting memory", pkg: "./internal/sys", run: "TestInSteps$"},

	// What hangs hangs alone.
	{file: "proc/start_linux.go", from: "			p.Kill()\n		}\n		go p.watch(l, outputDelay, stop)\n", to: "			return\n		}\n		go p.watch(l, outputDelay, stop)\n", promise: "a Start whose context panics leaves no child", pkg: "./proc", run: "TestStartContextPanics$", args: []string{"-timeout=150s"}},
	{file: "proc/launch_linux.go", from: "\tcase <-over:\n\t\tswitch", to: "\tcase <-context.Background().Done():\n\t\tswitch", promise: "the end of its context ends a Start that hangs", pkg: "./proc", run: "TestStartHangs$", args: []string{"-timeout=90s"}},
	{file: "proc/launch_linux.go", from: "(undecided, abandoned):\n\t\t\tl.close()", to: "(undecided, abandoned):\n\t\t\tgo func() { l.look(); l.close() }()", promise: "a Start that hangs keeps no region alive after its context", pkg: "./proc", run: "TestStartHangsWithoutLuggage$"},
	{file: "proc/launch_linux.go", from: "\tl.look()\n\terr := l.fork()", to: "\tvar err error\n\tlooked := make(chan bool)\n\tforker() <- func() { l.look(); close(looked) }\n\t<-looked\n\terr = l.fork()", promise: "the thread that forks has no part in what may hang", pkg: "./proc", run: "TestStartHangs$"},
	{file: "proc/pipes_linux.go", from: "\t\tcase <-late.C:\n", to: "\t\tcase <-late.C:\n\t\t\t<-p.done\n", promise: "a Writer that blocks does not keep a process from being Done", pkg: "./proc", run: "TestWriterBlocks$"},

	// What is used of a region's file has memory behind it.
	{file: "shm/open.go", from: "\treturn v.backCopy(st, o.ReadOnly)", to: "\tif v.h.Inode == st.Ino {\n\t\treturn nil\n\t}\n\treturn v.backCopy(st, o.ReadOnly)", promise: "a copy may have the region's inode number", pkg: "./shm", run: "TestOpenSparseCopy$"},
	{file: "shm/backing.go", from: "used = append(used, region.Extent{Off: from, Size: to - from})", to: "_, _ = from, to", promise: "a copy's objects are backed", pkg: "./shm", run: "TestOpenSparseCopy$"},
	{file: "shm/backing.go", from: "e.Off + e.Words + uint64(e.Fields) + pageSize", to: "e.Off + e.Size + pageSize", promise: "no more is backed than is used", pkg: "./shm", run: "TestBackOnlyEntries$"},
	{file: "shm/backing.go", from: "return touchHead(f, g, st)", to: "return nil", promise: "a process that only looks gets no SIGBUS", pkg: "./shm", run: "TestOpenSparseCopy$"},
	{file: "shm/backing.go", from: "return touchAll(f, g, used, need, st)", to: "return nil", promise: "a copy is backed without fallocate, too", pkg: "./shm", run: "TestWithoutFallocate$|TestOpenSparseCopy$"},
	{file: "shm/backing.go", from: "err = writeZeroes(f, region.Extent{Off: 0, Size: n})", to: "err = nil", promise: "a region is born whole without fallocate, too", pkg: "./shm", run: "TestWithoutFallocate$"},

	// Names, and what goes along with a child.
	{file: "shm/names.go", from: "case isTemp(base):", to: "case false:", promise: "no living region is swept", pkg: "./shm", run: "TestNames$|TestNoRegionIsSwept$"},
	{file: "proc/regions.go", from: "what := piece{p.Key, p.ReadOnly}", to: "what := piece{region: p.Key}", promise: "a read-only region does not hide the writable one of a handle", pkg: "./proc", run: "TestReadOnlyBeside$"},
	{file: "proc/regions.go", from: "what := piece{p.Key, p.ReadOnly}", to: "what := piece{object.RegionKey{ID: p.Key.ID}, p.ReadOnly}", promise: "a region and its copy are two", pkg: "./proc", run: "TestCopyBeside$"},
	{file: "sync/handle.go", from: "shm.ParticipantsOf(h.core)", to: "func() (ps []shm.Participant) {\n\t\tif r, err := shm.RegionByKey(object.RegionKey{ID: h.core.Ref.Region}); err == nil {\n\t\t\tps = r.Participants()\n\t\t\tr.Close()\n\t\t}\n\t\treturn ps\n\t}()", promise: "a living owner is not called dead", pkg: "./sync", run: "TestOwnerBesideACopy$"},
}
