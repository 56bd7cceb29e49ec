package object

import (
	"runtime"
	"testing"
)

// A collection ends with f, also if f does not return, and is open to f's own.
func TestCollectEnds(t *testing.T) {
	for _, how := range []func(){func() { panic("wild") }, runtime.Goexit, func() {}} {
		done := make(chan map[RegionKey]bool)
		go func() {
			var inner map[RegionKey]bool
			defer func() {
				recover()
				done <- inner
			}()
			Collect(func() error {
				inner, _ = Collect(func() error {
					_, err := Ref{Region: RegionID{1}}.Marshal()
					return err
				})
				how()
				return nil
			})
		}()
		if ids := <-done; len(ids) != 1 || !ids[RegionKey{ID: RegionID{1}}] {
			t.Errorf("collected %v", ids)
		}
		collecting.Lock()
		if n := len(collecting.keys); n != 0 {
			t.Errorf("%d collections are under way", n)
		}
		collecting.Unlock()
	}
}
