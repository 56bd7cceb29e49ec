package bench_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// anyOf is of how many things one is waited for.
const anyOf = 8

func BenchmarkAnyReady(b *testing.B) {
	contest{what: "`WaitAny` over 8 queues of which the last has a message, and its Get", kind: "free", of: []contestant{
		{here, "WaitAny"}, {here, "select"}, {here, "poll-eventfd"},
	}}.run(b)
}

func init() {
	jobs["free/WaitAny"] = func(e *env) func(n int) int {
		var qs []*ring.Queue[int64]
		var ws []shm.Waitable
		for i := range anyOf {
			q := open(ring.OpenQueue[int64](e.Region, e.name(fmt.Sprint("any-", i)), &ring.QueueOptions{Capacity: 4}))
			qs, ws = append(qs, q), append(ws, q)
		}
		return func(n int) (done int) {
			for range n {
				testproc.Must(qs[anyOf-1].TryPut(1))
				i, err := shm.WaitAny(background, ws...)
				testproc.Must(err)
				v, err := qs[i].TryGet()
				testproc.Must(err)
				done += int(v)
			}
			return done
		}
	}
	jobs["free/select"] = func(e *env) func(n int) int {
		var c [anyOf]chan int64
		for i := range c {
			c[i] = make(chan int64, 4)
		}
		return func(n int) (done int) {
			for range n {
				c[anyOf-1] <- 1
				var v int64
				select {
				case v = <-c[0]:
				case v = <-c[1]:
				case v = <-c[2]:
				case v = <-c[3]:
				case v = <-c[4]:
				case v = <-c[5]:
				case v = <-c[6]:
				case v = <-c[7]:
				}
				done += int(v)
			}
			return done
		}
	}
	jobs["free/poll-eventfd"] = func(e *env) func(n int) int {
		var fds []unix.PollFd
		for range anyOf {
			fds = append(fds, unix.PollFd{Fd: int32(open(unix.Eventfd(0, unix.EFD_CLOEXEC))), Events: unix.POLLIN})
		}
		one := []byte{1, 0, 0, 0, 0, 0, 0, 0}
		return func(n int) (done int) {
			b := make([]byte, 8)
			for range n {
				open(unix.Write(int(fds[anyOf-1].Fd), one))
				open(unix.Poll(fds, -1))
				for i := range fds {
					if fds[i].Revents != 0 {
						open(unix.Read(int(fds[i].Fd), b))
						done += int(b[0])
					}
				}
			}
			return done
		}
	}
}
