//go:build tandem_sim

package sim

import (
	"iter"
	"sync"
)

// A carrier is a coroutine that runs threads one after the other: a thread lives for some
// hundred accesses, and a stack of its own would be made, and copied as it grows, for each.
type carrier struct {
	next    func() (struct{}, bool)
	yield   func(struct{}) bool
	run     func() // a thread, until it is over
	begun   bool
	stopped bool // its thread is to unwind
}

// idle has those that carry nothing.
var idle struct {
	sync.Mutex
	carriers []*carrier
}

// carry returns a carrier for run, which begins when it is resumed.
func carry(run func()) *carrier {
	idle.Lock()
	defer idle.Unlock()
	var c *carrier
	if n := len(idle.carriers); n > 0 {
		c, idle.carriers = idle.carriers[n-1], idle.carriers[:n-1]
	} else {
		c = &carrier{}
		c.next, _ = iter.Pull(func(yield func(struct{}) bool) {
			c.yield = yield
			for {
				c.run()
				c.run = nil
				yield(struct{}{})
			}
		})
	}
	c.run, c.begun, c.stopped = run, false, false
	return c
}

// resume goes on with the thread until it gives way, and reports whether it is to go on then.
func (c *carrier) resume() (more bool) {
	c.begun = true
	c.next()
	if c.run != nil {
		return true
	}
	c.leave()
	return false
}

// giveWay returns when the thread is resumed, and reports whether it is to go on.
func (c *carrier) giveWay() bool {
	if !c.stopped {
		c.yield(struct{}{})
	}
	return !c.stopped
}

// stop unwinds a thread that is not running.
func (c *carrier) stop() {
	if c.run == nil {
		return
	}
	if c.stopped = true; c.begun {
		c.resume()
	} else {
		c.run = nil
		c.leave()
	}
}

func (c *carrier) leave() {
	idle.Lock()
	idle.carriers = append(idle.carriers, c)
	idle.Unlock()
}
