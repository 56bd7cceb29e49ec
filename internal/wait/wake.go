package wait

import "example.com/tandem/internal/sys"

// Wake wakes up to n of those who sleep on word, in every process, and returns
// how many; n < 0 means all. It never blocks. A sleeper looks at memory again,
// so what it looks at was changed before.
func Wake(word *uint32, n int) int { return sys.FutexWake(word, n) }
