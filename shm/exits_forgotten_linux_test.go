package shm

import (
	"context"
	"runtime"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
)

// Exits that nobody ranges over is told of the exits until the collector finds it, and no
// longer; what is ranged over later is told of all.
func TestForgottenExits(t *testing.T) {
	r, _ := newRegion(t, nil)
	for range 100 {
		r.Exits(context.Background())
	}
	for end := time.Now().Add(testproc.Patience); r.a.watch.listened(); time.Sleep(time.Millisecond) {
		if runtime.GC(); time.Now().After(end) {
			t.Fatal("they are told for ever")
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	seq := r.Exits(ctx)
	runtime.GC()
	if !r.a.watch.listened() {
		t.Error("one that is still to be ranged over is told nothing")
	}
	cancel()
	for p := range seq {
		t.Errorf("%v has gone", p)
	}
	if r.a.watch.listened() {
		t.Error("one that was ranged over is told for ever")
	}
}
