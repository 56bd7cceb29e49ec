package main

// Of sync, but for what its calls do when the region is closed.
var syncMutations = []mutation{}
