package step

// knowsWrites says that writtenBy looks.
const knowsWrites = false

// writtenBy says where the instruction that code begins with may write to memory that
// others map. Here it may be a load, and what others did is taken for its effect: there
// are more deaths than need be.
func writtenBy(code []byte) written { return written{may: true} }
