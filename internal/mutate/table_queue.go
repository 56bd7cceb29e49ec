package main

import "slices"

// Of internal/engine, the queue and the cells.
var queueMutations = slices.Concat(queueSlotMutations, queueWalkMutations, queueBatchMutations, queueStoreMutations, queuePutMutations, queueBlocksMutations, queueGetMutations, queueWholeMutations, cellMutations, wideMutations)
