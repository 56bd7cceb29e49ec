package main

// What the tool shows, and what is shown of objects.
var inspectMutations = []mutation{
	{file: "internal/engine/queue_look.go", from: "cmp.Or(strings.Compare(a.What, b.What), cmp.Compare(a.Who.Index, b.Who.Index), ", to: "cmp.Or(strings.Compare(a.What, b.What), ",
		promise: "who looks at a queue twice sees the same order", pkg: "./internal/engine", run: "TestQueueLooksInOrder$"},
	{file: "shm/snapshot_text.go", from: "	case o.State == engine.WaitsForReaders && o.Owner != nil: // it does not hold it yet\n", to: "	case false:\n",
		promise: "a writer that waits for readers is not shown as one that writes", pkg: "./sync", run: "TestRWMutex"},
	{file: "shm/snapshot_text.go", from: "		if n > 0 {\n			return fmt.Sprintf(\"%d and %d on lease", to: "		if false {\n			return fmt.Sprintf(\"%d and %d on lease",
		promise: "a queue's fill tells of those on lease", pkg: "./cmd/shm", run: "TestInspectObject$"},
	{file: "shm/open.go", from: "	if !writable && isDescriptor(path) {", to: "	if isDescriptor(path) {",
		promise: "by another's descriptor one only looks", pkg: "./cmd/shm", run: "TestInspectAnonymous$"},
	{file: "shm/open.go", from: "	if !writable && isDescriptor(path) {", to: "	if false {",
		promise: "an anonymous region can be looked into", pkg: "./cmd/shm", run: "TestInspectAnonymous$"},
	{file: "cmd/shm/inspect.go", from: "len(s.Damage) > 0", to: "false",
		promise: "damage that is shown is an exit status of 1", pkg: "./cmd/shm", run: "TestCheck$"},
	{file: "cmd/shm/check.go", from: "unchecked(r)+", to: "",
		promise: "check says what it could not check", pkg: "./cmd/shm", run: "TestCheck$"},
	{file: "cmd/shm/ls.go", from: "errors.Is(err, fs.ErrPermission)", to: "errors.Is(err, fs.ErrExist)",
		promise: "ls says how many files it could not read", pkg: "./cmd/shm", run: "TestLs$"},
	{file: "cmd/shm/root.go", from: "	root.SetHelpCommand(help(root))\n", to: "	help(root)\n",
		promise: "help of what is no verb is wrong usage", pkg: "./cmd/shm", run: "TestUsage$"},
	{file: "cmd/shm/root.go", from: "(r.Name == name || r.Path == name)", to: "r.Name == name",
		promise: "what is left of an ephemeral region is called so by its path, too", pkg: "./cmd/shm", run: "TestLs$"},
}
