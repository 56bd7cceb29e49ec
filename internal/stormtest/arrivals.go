package stormtest

import (
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
)

// Arrivals are which messages came, of those that each of several numbers from 1 on and
// that come once: a bit for each.
type arrivals struct {
	n    int
	by   []bits
	most map[[2]int64]int64 // the last number that one has got of another
}

func newArrivals() *arrivals { return &arrivals{most: map[[2]int64]int64{}} }

// add is one more, which came to one of those who get. What is a word for messages.
func (a *arrivals) add(t testing.TB, what string, by, n, to int64) {
	for int64(len(a.by)) <= by {
		a.by = append(a.by, bits{})
	}
	if a.by[by].set(n) {
		t.Errorf("%s %d of %d came twice", what, n, by)
	}
	a.n++
	pair := [2]int64{to, by}
	if n <= a.most[pair] {
		t.Errorf("%s %d of %d came to %d after its number %d", what, n, by, to, a.most[pair])
	}
	a.most[pair] = n
}

// against compares it with how many the first so many noted that they had sent, up to so
// many at a time: those of the last time one may not have lived to note.
func (a *arrivals) against(t testing.TB, what string, noted *atomics.Array[int64], senders, atATime int) (sent, lost int) {
	t.Helper()
	if len(a.by) > senders {
		t.Errorf("a %s came of number %d, and there are %d", what, len(a.by)-1, senders)
	}
	for p := range senders {
		var of bits
		if p < len(a.by) {
			of = a.by[p]
		}
		n, before := noted.Load(p), lost
		for i := int64(1); i <= n; i++ {
			if !of.has(i) {
				lost++
			}
		}
		if beyond := of.n - (int(n) - (lost - before)); beyond > atATime {
			t.Errorf("%d more %ss of %d came than the %d that it sent", beyond, what, p, n)
		}
		sent += int(n)
	}
	if sent == 0 {
		t.Errorf("no %s was sent", what)
	}
	return sent, lost
}

// begun waits until one of the first so many has noted something: a storm begins when its
// processes are at work, which on a busy machine takes a while.
func begun(t testing.TB, noted *atomics.Array[int64], senders int) {
	t.Helper()
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
		for p := range senders {
			if noted.Load(p) > 0 {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatal("nobody has begun")
		}
	}
}
