package engine

import "example.com/tandem/internal/mem"

// useEvent and useOnce are of TestDamagedMemory.
func useEvent(a mem.Area, env Env, wreck func()) {
	e, err := AttachEvent(a, env)
	if err != nil {
		return
	}
	for range 5 {
		e.Wait(&tired{})
		wreck()
		e.Set()
		e.IsSet()
		wreck()
		awaitAny(e)
		e.Clear()
	}
}

func useOnce(a mem.Area, env Env, wreck func()) {
	o, err := AttachOnce(a, env)
	if err != nil {
		return
	}
	for i := range 5 {
		run, err := o.Begin(&tired{})
		wreck()
		if run && err == nil {
			o.Finish(i == 3)
		}
		o.Done()
		wreck()
	}
}
