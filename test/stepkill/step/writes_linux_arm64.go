package step

// knowsWrites says that mayWrite looks.
const knowsWrites = false

// mayWrite reports whether the instruction that code begins with may write to
// memory that others map. Here it may be a load, and what others did is taken for
// its effect: there are more deaths than need be.
func mayWrite(code []byte) bool { return true }
