package bench_test

import (
	"context"
	gosync "sync"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/sync"
)

func BenchmarkEventFree(b *testing.B) {
	contest{what: "`Event`, Set, IsSet and Clear", kind: "free", of: []contestant{
		{here, "Event"}, {inC, "pthread-event"}, {inPython, "Event"},
	}}.run(b)
}

func BenchmarkEventTrip(b *testing.B) {
	contest{what: "two `Event`s, a round trip", kind: "trip", of: []contestant{
		{two, "Event"}, {twoFree, "Event"}, {inC, "futex"}, {inPython, "Event"},
	}}.run(b)
}

var onceDone = contest{what: "`Once`, Do when it is done", kind: "free", of: []contestant{
	{here, "Once"}, {here, "sync.Once"},
}}

func BenchmarkOnceDone(b *testing.B) { onceDone.run(b) }

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
				e.trip()
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
