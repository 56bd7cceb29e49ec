package engine

import "example.com/tandem/internal/mem"

// wreckedLock is a lock whose holder finds the memory changed.
type wreckedLock struct{ wreck func() }

func (l wreckedLock) Unlock() error       { return nil }
func (l wreckedLock) Lock() (bool, error) { l.wreck(); return false, nil }
func (l wreckedLock) Abandoned() bool     { return false }
func (l wreckedLock) Over() bool          { return false }

func useCond(a mem.Area, env Env, wreck func()) {
	line := new(CondLine)
	c, err := AttachCond(a, env, line)
	if err != nil {
		return
	}
	own, err := CondOwn(a)
	if err != nil {
		return
	}
	for range 3 {
		useMutex(own, env, wreck)
		c.Wait(&tired{}, wreckedLock{wreck})
		c.Wait(&dreamer{f: func() { c.NotifyHere(1) }}, wreckedLock{wreck})
		wreck()
		c.NotifyHere(2)
		recoverCond(a, env, Self{2, 1})
		wreck()
		c.NotifyHere(0)
	}
	if line.head != nil {
		panic("who has returned stands in line")
	}
}

// A dreamer does something in each sleep, and then is as tired.
type dreamer struct {
	tired
	f func()
}

func (s *dreamer) Sleep(w *uint32, v uint32) error { s.f(); return s.tired.Sleep(w, v) }
