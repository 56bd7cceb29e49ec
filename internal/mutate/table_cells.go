package main

// Cells.
var cellMutations = []mutation{
	{
		file: "internal/engine/cellops.go",
		from: `		if mem.CAS32(w, v, v&^(mask<<shift)|uint32(new)&mask<<shift) {
			return true
		}
`,
		to: `		return mem.CAS32(w, v, v&^(mask<<shift)|uint32(new)&mask<<shift)
`,
		promise: "CompareAndSwap of a small cell does not fail for its neighbours",
		pkg:     "./internal/engine", run: "TestSimCellsBesideBusyNeighbours$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/cellops.go",
		from: `		if CASCell(p, width, v, new) {
			return true
		}
`,
		to: `		return CASCell(p, width, v, new)
`,
		promise: "CompareAndSwap of a padded cell does not fail for its padding",
		pkg:     "./internal/engine", run: "TestSimCASPaddedBesideChangingPadding$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/cellops.go",
		from: `		if mem.CAS32(w, old, old&^(mask<<shift)|uint32(v)&mask<<shift) {
			return uint64(old >> shift & mask)
		}
`,
		to: `		mem.Store32(w, old&^(mask<<shift)|uint32(v)&mask<<shift)
		return uint64(old >> shift & mask)
`,
		promise: "a store to a small cell leaves its neighbours alone",
		pkg:     "./internal/engine", run: "TestSimCellsBesideBusyNeighbours$", tags: "tandem_sim",
	},
	{
		file: "internal/engine/cellops.go",
		from: `		n := (v>>shift + uint32(delta)) & mask
		if mem.CAS32(w, v, v&^(mask<<shift)|n<<shift) {
			return uint64(n)
		}
`,
		to: `		n := v>>shift&mask + uint32(delta)&mask
		if mem.CAS32(w, v, v&^(mask<<shift)|n<<shift) {
			return uint64(n & mask)
		}
`,
		promise: "an Add that wraps carries nothing into the neighbour",
		pkg:     "./internal/engine", run: "TestCellsAgainstModel$",
	},
	{
		file:    "internal/engine/value.go",
		from:    "\tif r.n != n || r.width != width || r.wide != nil {",
		to:      "\tif r.width != width || r.wide != nil {",
		promise: "a line that was overwritten leads nobody out of the object",
		pkg:     "./internal/engine", run: "TestCellsLayout$",
	},
	{
		file:    "internal/engine/value.go",
		from:    "\tif k == KindValue && r.n != 1 {",
		to:      "\tif k == KindValue && r.n < 1 {",
		promise: "a Value is of one cell",
		pkg:     "./internal/engine", run: "TestCellsValueIsOne$",
	},
	{
		file:    "internal/engine/value.go",
		from:    "n > (math.MaxInt64-head-8)/width",
		to:      "n > math.MaxInt64/width",
		promise: "no size wraps round",
		pkg:     "./internal/engine", run: "TestCellsLayout$",
	},
	{
		file:    "internal/engine/value.go",
		from:    "\treturn head + (n*width+7)&^7, true",
		to:      "\treturn head + n*width, true",
		promise: "the word that a small cell is part of lies in the object",
		pkg:     "./internal/engine", run: "TestCellsLayout$",
	},
}
