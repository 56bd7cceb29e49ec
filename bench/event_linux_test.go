package bench_test

import (
	"context"
	gosync "sync"
	"testing"

	"example.com/tandem/sync"
)

func BenchmarkEventFree(b *testing.B) {
	contest{"`Event`, Set, IsSet and Clear", "free", []contestant{
		{here, "Event"}, {inPython, "Event"},
	}}.run(b)
}

func BenchmarkEventTrip(b *testing.B) {
	contest{"two `Event`s, a round trip", "trip", []contestant{
		{two, "Event"}, {twoFree, "Event"}, {inC, "futex"}, {inPython, "Event"},
	}}.run(b)
}

func BenchmarkOnceDone(b *testing.B) {
	contest{"`Once`, Do when it is done", "free", []contestant{
		{here, "Once"}, {here, "sync.Once"},
	}}.run(b)
}

func init() {
	jobs["free/Event"] = func(e *env) func(n int) int {
		ev := open(sync.OpenEvent(e.Region, e.name("e")))
		return func(n int) (done int) {
			for range n {
				must(ev.Set())
				if ev.IsSet() {
					done++
				}
				must(ev.Clear())
			}
			if ev.IsSet() {
				return 0
			}
			return done
		}
	}
	jobs["trip/Event"] = func(e *env) func(n int) int {
		ping, pong := open(sync.OpenEvent(e.Region, e.name("ping"))), open(sync.OpenEvent(e.Region, e.name("pong")))
		return func(n int) (done int) {
			for range n {
				if e.side == 1 {
					must(ping.Wait(background))
					must(ping.Clear())
					must(pong.Set())
					continue
				}
				must(ping.Set())
				must(pong.Wait(background))
				must(pong.Clear())
				done++
			}
			return done
		}
	}
	jobs["free/Once"] = func(e *env) func(n int) int {
		o, ran := open(sync.OpenOnce(e.Region, e.name("o"))), 0
		f := func(context.Context) error { ran++; return nil }
		return func(n int) (done int) {
			for range n {
				must(o.Do(background, f))
				done += ran
			}
			return done
		}
	}
	jobs["free/sync.Once"] = func(e *env) func(n int) int {
		o, ran := new(gosync.Once), 0
		f := func() { ran++ }
		return func(n int) (done int) {
			for range n {
				o.Do(f)
				done += ran
			}
			return done
		}
	}
}
