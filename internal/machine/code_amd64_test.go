//go:build !race

package machine

import (
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

//go:noinline
func claim() bool { return len(sink) > 0 }

//go:noinline
func publish(n int) { sink = sink[:min(n, len(sink))] }

//go:noinline
func other() {}

var sink = make([]int, 4)

func bare(a, b int) {
	if claim() {
		publish(a + b)
	}
}

func indexed(a []int, b int) {
	if claim() {
		publish(a[b])
	}
}

func calling(a, b int) {
	if !claim() {
		other()
		return
	}
	if a < b {
		other()
	}
	publish(b)
}

func failing(a, b int) {
	if !claim() {
		other()
		if !claim() {
			return
		}
	}
	publish(a)
}

// What lies between two calls is told, and what lies beside them is not.
func TestBetween(t *testing.T) {
	for _, tt := range []struct {
		name    string
		f       any
		panicky bool
	}{
		{"bare", bare, false},
		{"indexed", indexed, true},
		{"calling", calling, false},
		{"failing", failing, false},
	} {
		code, err := Code(tt.f)
		if err != nil {
			t.Fatal(err)
		}
		from := []string{".claim"}
		between := Between(code, from, []string{".publish"})
		if len(between) == 0 {
			t.Errorf("%s: nothing", tt.name)
		}
		var others, panics int
		for _, i := range between {
			switch {
			case i.Panics():
				panics++
			case i.Op == x86asm.CALL:
				others++
			}
		}
		if panics > 0 != tt.panicky {
			t.Errorf("%s: %d calls that panic", tt.name, panics)
		}
		if want := tt.name == "calling"; others > 0 != want {
			t.Errorf("%s: %d other calls", tt.name, others)
		}
	}
}

//go:noinline
func keep(p *int, n int) int {
	if n > 3 {
		other()
		return n
	}
	if n < 0 {
		return -1
	}
	*p = n
	return n
}

// Ways that call something are left out.
func TestWays(t *testing.T) {
	code, err := Code(keep)
	if err != nil {
		t.Fatal(err)
	}
	ways, stores := Ways(code), 0
	for _, way := range ways {
		for _, i := range way {
			if i.Stores {
				stores++
			}
		}
	}
	if len(ways) != 2 || stores != 1 {
		t.Errorf("%d ways with %d stores, want 2 and 1", len(ways), stores)
	}
}
