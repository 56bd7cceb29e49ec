package wait

import (
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
)

// Two processes hand one word to and fro. Each says that it sleeps before it
// does, as an engine's bell, so that who finds the other spinning makes no
// system call.
func pingPong(page []uint32, mine, last uint32, l *List) {
	w, asleep := &page[0], &page[32]
	for n := mine; n < last; n += 2 {
		if v := atomic.LoadUint32(w); v != n {
			wt := l.Waiter(background)
			for {
				if v = atomic.LoadUint32(w); v == n {
					break
				}
				if wt.Spin() {
					continue
				}
				atomic.AddUint32(asleep, 1)
				wt.Sleep(w, v)
				atomic.AddUint32(asleep, ^uint32(0))
			}
			wt.Done()
		}
		atomic.StoreUint32(w, n+1)
		if atomic.LoadUint32(asleep) != 0 {
			Wake(w, 1)
		}
	}
}

func init() {
	roles["pingpong"] = func(page []uint32) {
		last, _ := strconv.Atoi(os.Getenv("WAIT_TEST_LAST"))
		mode, _ := strconv.Atoi(os.Getenv("WAIT_TEST_MODE"))
		l := NewList()
		l.spin.SetMode(Mode(mode))
		pingPong(page, 1, uint32(last), l)
	}
}

func BenchmarkPingPong(b *testing.B) {
	for mode, name := range []string{"adaptive", "spin", "sleep"} {
		b.Run("mode="+name, func(b *testing.B) {
			page, f := sharedPage(b)
			last := 2 * b.N
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "WAIT_TEST_ROLE=pingpong", "WAIT_TEST_LAST="+strconv.Itoa(last), "WAIT_TEST_MODE="+strconv.Itoa(mode))
			cmd.ExtraFiles = []*os.File{f}
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			l := NewList()
			l.spin.SetMode(Mode(mode))
			pingPong(page, 0, 2, l) // the peer is there
			b.ResetTimer()
			pingPong(page, 2, uint32(last), l)
			b.StopTimer()
			if err := cmd.Wait(); err != nil {
				b.Fatal(err)
			}
			s := l.Stats()
			b.ReportMetric(float64(s.Sleeps)/float64(b.N), "sleeps/op")
		})
	}
}
