package main

// What a user's code leaves that panics, or ends its goroutine, or never ends.
var userMutations = []mutation{
	{file: "ring/delivery.go", from: "func() { q.eng.Ack(slot) }", to: "func() {}",
		promise: "a message whose decoder panics does not stay on lease", pkg: "./ring", run: "TestDecoderPanics$"},
	{file: "ring/get.go", from: "	if err = q.decode(b, &v, done); err != nil {", to: "	if err = q.decode(b, &v, func() {}); err != nil {",
		promise: "a message whose decoder panics counts as done", pkg: "./ring", run: "TestDecoderPanics$"},
	{file: "ring/get.go", from: "		if !returned {\n			lost()\n", to: "		if returned {\n			lost()\n",
		promise: "only one whose decoder does not return is lost", pkg: "./ring", run: "TestDecoderPanics$|TestCodec$"},
	{file: "ring/delivery.go", from: "			inside = false\n", to: "",
		promise: "break keeps the lease", pkg: "./ring", run: "TestLeasesBodyPanics$"},
	{file: "ring/delivery.go", from: "				d.Nack()\n", to: "",
		promise: "a body that panics gives its message back", pkg: "./ring", run: "TestLeasesBodyPanics$"},
	{file: "proc/child_linux.go", from: "if !returned && goexiting() {", to: "if !returned && goexiting() && c.end != nil {",
		promise: "what decodes an argument and ends its goroutine ends the child", pkg: "./proc", run: "TestArgumentDecoderPanics$"},
	{file: "proc/start_linux.go", from: "	defer p.Close() // also", to: "	_ = p.Close // also",
		promise: "a Reader that ends its goroutine ends the child's stdin", pkg: "./proc", run: "TestStdinEndsItsGoroutine$"},
	{file: "proc/start_linux.go", from: "	defer regions.close()\n	data, err := regions.pack(fn.arg, arg, o.Regions)\n",
		to:      "	data, err := regions.pack(fn.arg, arg, o.Regions)\n	defer regions.close()\n",
		promise: "an encoder that panics leaves no descriptor", pkg: "./proc", run: "TestArgumentEncoderPanics$"},
	{file: "internal/object/collect.go", from: "		delete(collecting.ids, &ids)\n", to: "",
		promise: "a collection ends with what it collects from", pkg: "./internal/object", run: "TestCollectEnds$"},
	{file: "sync/mutex.go", from: "		err = m.mu.Lock(w)\n		w.Done()\n", to: "		if err = m.mu.Lock(w); err != engine.ErrOwnerDied {\n			w.Done()\n		}\n",
		promise: "a repair that panics leaves nothing of the wait before it", pkg: "./sync", run: "TestRepairPanics$"},
	{file: "sync/barrier.go", from: "		if !well { // it failed", to: "		if !well && recover() != nil { // it failed",
		promise: "an action that ends its goroutine breaks the barrier", pkg: "./sync", run: "TestActionPanics$", args: []string{"-timeout=15s"}},
}
