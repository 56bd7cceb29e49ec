package main

// What is copied out of a region is a valid T.
var boolMutations = []mutation{
	{file: "ring/get.go", from: "	q.mend.Mend(unsafe.Pointer(&v))\n", to: "",
		promise: "a bool that Get returns is one", pkg: "./ring", run: "TestBoolsAreValid$"},
	{file: "ring/get.go", from: "	if q.mend != nil {\n", to: "	if q.mend == nil && false {\n",
		promise: "a bool in a long message is one", pkg: "./ring", run: "TestBoolsAreValid$"},
	{file: "ring/batch.go", from: "		q.mend.Mend(unsafe.Pointer(&vs[i]))\n", to: "		_ = i\n",
		promise: "a bool of a batch is one", pkg: "./ring", run: "TestBoolsAreValid$"},
	{file: "ring/delivery.go", from: "		if q.mend != nil {\n			q.mend.Mend(unsafe.Pointer(&d.small))\n		}\n", to: "",
		promise: "a bool on lease is one", pkg: "./ring", run: "TestBoolsAreValid$"},
	{file: "ring/delivery.go", from: "		if q.mend != nil {\n			q.mend.Mend(unsafe.Pointer(v))\n		}\n", to: "",
		promise: "a bool of a long message on lease is one", pkg: "./ring", run: "TestBoolsAreValid$"},
	{file: "ring/spsc_get.go", from: "	s.mend.Mend(unsafe.Pointer(&v))\n", to: "	_ = s\n",
		promise: "a bool of an SPSC is one", pkg: "./ring", run: "TestBoolsAreValid$"},
	{file: "ring/spsc_get.go", from: "		s.mend.Mend(unsafe.Pointer(&vs[i]))\n", to: "		_ = i\n",
		promise: "a bool of an SPSC's batch is one", pkg: "./ring", run: "TestBoolsAreValid$"},
	{file: "ring/pipe_recv.go", from: "		c.mend.Mend(unsafe.Pointer(&v))\n", to: "",
		promise: "a bool that Recv returns is one", pkg: "./ring", run: "TestBoolsAreValid$"},
	{file: "ring/pipe_recv_into.go", from: "			c.mend.Mend(unsafe.Pointer(dst))\n", to: "",
		promise: "a bool that RecvInto has is one", pkg: "./ring", run: "TestBoolsAreValid$"},
	{file: "ring/subscriber.go", from: "				s.mend.Mend(unsafe.Pointer(&v))\n", to: "",
		promise: "a bool that Next returns is one", pkg: "./ring", run: "TestBoolsAreValid$"},
	{file: "ring/loan.go", from: "		q.mend.Mend(q.eng.Memory(l)) // what was left there may be of another message's middle\n", to: "",
		promise: "a bool that was left in what is lent is one", pkg: "./ring", run: "TestLoanedBoolsAreValid$"},
}
