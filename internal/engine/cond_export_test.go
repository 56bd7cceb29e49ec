package engine

// NotifyHere is Notify in a region that is there.
func (c *Cond) NotifyHere(n int) (given int, err error) {
	given, _, err = c.Notify(n, func() bool { return true })
	return given, err
}
