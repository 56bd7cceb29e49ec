package step

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// What the victim writes is an effect only where others map what it writes to. That
// tells its effects from those of others at the same instant, and most of what it
// executes needs no look at the files.

// written is where an instruction may write to.
type written struct {
	may bool                            // somewhere
	to  func(r *unix.PtraceRegs) uint64 // the address, before it is executed; nil: it is not known
}

// widest is more than what one instruction writes from its address on.
const widest = 64

// A shared is the memory of a process that others may map, too.
type shared struct {
	pid  int
	maps [][2]uint64
	used int // since they were read
}

// mostUsed bounds how long the victim's other threads can have mapped what is not
// known yet.
const mostUsed = 64

// stale has the mappings read again before they are used.
func (s *shared) stale() { s.used = mostUsed }

// mayReach reports whether w, by a thread with these registers, may be in it.
func (s *shared) mayReach(w written, r *unix.PtraceRegs) bool {
	if !w.may || w.to == nil {
		return w.may
	}
	if s.used++; s.used > mostUsed || s.maps == nil {
		s.used = 0
		if s.read() != nil {
			s.maps = nil
			return true
		}
	}
	at := w.to(r)
	for _, m := range s.maps {
		if at+widest > m[0] && at < m[1] {
			return true
		}
	}
	return false
}

func (s *shared) read() error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", s.pid))
	if err != nil {
		return err
	}
	defer f.Close()
	s.maps = s.maps[:0]
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var from, to uint64
		var may string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &may); err != nil {
			return err
		}
		if strings.HasSuffix(may, "s") {
			s.maps = append(s.maps, [2]uint64{from, to})
		}
	}
	return lines.Err()
}
