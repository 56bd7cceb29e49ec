package streams

import (
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm/shmtest"
)

// A counting is bytes of which each eight are a number, one more than the eight before.
type counting struct{ at uint64 }

// next is byte i of them.
func (c *counting) byte(i uint64) byte { return byte(i / 8 >> (8 * (i % 8))) }

func (c *counting) Read(b []byte) (int, error) {
	if c.at%8 != 0 || len(b) < 8 {
		for i := range b {
			b[i] = c.byte(c.at)
			c.at++
		}
		return len(b), nil
	}
	b = b[:len(b)&^7]
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], c.at/8)
		c.at += 8
	}
	return len(b), nil
}

// Write is an error of the first byte that is another.
func (c *counting) Write(b []byte) (int, error) {
	for i := 0; i < len(b); {
		if c.at%8 == 0 && len(b)-i >= 8 && binary.LittleEndian.Uint64(b[i:]) == c.at/8 {
			i, c.at = i+8, c.at+8
			continue
		}
		if b[i] != c.byte(c.at) {
			return i, fmt.Errorf("byte %d is %d, want %d", c.at, b[i], c.byte(c.at))
		}
		i, c.at = i+1, c.at+1
	}
	return len(b), nil
}

// checker reads all of a connection.
var checker = testproc.Role("checker", func(args []string) {
	c, err := ring.Dial(bg, attached(args[0]), service)
	testproc.Must(err)
	n, err := io.Copy(new(counting), c)
	testproc.Must(err)
	testproc.Say(n)
})

// A gibibyte through one connection, or in an ordinary run some of it: every byte is the one
// that was sent.
func TestCopy(t *testing.T) {
	for _, buffer := range []int{0, 4 << 20, 1000} {
		all := effort.Or[int64](1<<30, 24<<20)
		if buffer == 1000 { // they wait for each other at every kilobyte
			all /= 16
		}
		r := shmtest.Region(t)
		l := testproc.Get(ring.Listen(r, service, &ring.ListenOptions{Buffer: buffer}))(t)
		c := checker.Start(t, r.Name())
		to := testproc.Get(l.Accept())(t)
		if n, err := io.Copy(to, io.LimitReader(new(counting), all)); n != all || err != nil {
			t.Errorf("io.Copy = %d, %v", n, err)
		}
		testproc.OK(t, to.Close())
		c.Expect(fmt.Sprint(all))
		testproc.OK(t, l.Close())
	}
}
