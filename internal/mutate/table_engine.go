package main

import "slices"

// Of internal/engine, but for the queue and the cells.
var engineMutations = slices.Concat(engineLockMutations, engineRWMutexMutations, engineCountMutations, engineCondMutations, engineMeetMutations)
