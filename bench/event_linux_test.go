package bench_test

import (
	"context"
	gosync "sync"
	"testing"

	"example.com/tandem/internal/testproc"
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
				testproc.Must(ev.Set())
				if ev.IsSet() {
					done++
				}
				testproc.Must(ev.Clear())
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
					testproc.Must(ping.Wait(background))
					testproc.Must(ping.Clear())
					testproc.Must(pong.Set())
					continue
				}
				testproc.Must(ping.Set())
				testproc.Must(pong.Wait(background))
				testproc.Must(pong.Clear())
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
				testproc.Must(o.Do(background, f))
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
