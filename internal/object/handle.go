package object

import "runtime"

// Handles. All handles of this process on one object share a whole Core, and
// each has a Core of its own, with a flag that is set when it is closed, or the
// region is.
//
// Closing a handle ends the handle and nothing else: what the process holds in
// the object it still holds, and gives back through another handle. A call that
// is under way ends as if its context had ended, or as one that Close of the
// region comes upon (Gate), but that the region is there: what gave something
// has given it, what took something gives it back.
//
// Of some kinds there is something that a process has only for as long as it has a handle
// that something reaches: engine.Ops.Unheld.
//
// No memory goes with it. A call that is under way may touch the object at any
// later time, and nobody counts those; the collector tells when the last is
// over. So a closed handle counts until nothing reaches it. But if all are
// closed, and the object was removed, the collector is asked at once.

// Handle makes one more handle on c's object.
func (c *Core) Handle() *Core {
	w := c.Whole()
	h := &Core{Op: w.Op, Region: w.Region, Name: w.Name, Kind: w.Kind, Fields: w.Fields, Area: w.Area, Env: w.Env, List: w.List,
		Ref: w.Ref, Gate: w.Gate, Closed: w.Gate.newFlag(), Mapping: w.Mapping, In: w.In, Entry: w.Entry, whole: w}
	w.handles.Add(1)
	runtime.AddCleanup(h, w.Gate.forget, h.Closed)
	return h
}

// Whole is what all handles on c's object have in common.
func (c *Core) Whole() *Core {
	if c.whole == nil {
		return c
	}
	return c.whole
}

// Close ends the handle: no call begins through it any more, and those that
// sleep end with an ErrClosed. It does not wait for them. A second one does
// nothing, and reports false.
func (c *Core) Close() bool {
	first := !c.closing.Swap(true)
	c.ended.Store(true) // before Closed: a call that sees Closed sees why
	c.Closed.Store(true)
	if !first {
		return false
	}
	c.List.End(&c.ended)
	c.Discount()
	return true
}

// Discount says that c is not in use any more but by calls that are under way.
// Close does; it is for those that are handles' own, which end with these.
func (c *Core) Discount() {
	if w := c.whole; w != nil && w.handles.Add(-1) == 0 && w.Unused != nil {
		w.Unused()
	}
}

// Ended reports whether Close was called.
func (c *Core) Ended() bool { return c.ended.Load() }

// InUse reports whether c, which is whole, has handles that are not closed.
func (c *Core) InUse() bool { return c.handles.Load() > 0 }
