package engine

// notify is Notify in a region that is there.
func (c *Cond) notify(n int) (given int, err error) {
	given, _, err = c.Notify(n, func() bool { return true })
	return given, err
}
