package stormtest

import (
	"sync"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// Ordered is for a worker of a storm. It waits until all in wg have ended, which
// use r, and closes r. When an order comes it calls leaving, closes r under their
// calls, waits for them and returns true: the worker is to open the region anew.
func Ordered(r *shm.Region, wg *sync.WaitGroup, orders <-chan string, leaving func()) bool {
	ended := make(chan bool)
	go func() { wg.Wait(); close(ended) }()
	ordered := false
	select {
	case <-ended:
	case _, ordered = <-orders:
	}
	if !ordered { // the end of the storm, or there are no more orders, and it is near
		<-ended
		testproc.Must(r.Close())
		return false
	}
	leaving()
	testproc.Must(r.Close())
	<-ended
	return true
}
