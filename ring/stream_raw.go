package ring

import (
	"io/fs"
	"net"
	"os"
	"reflect"
	"syscall"

	"example.com/tandem/internal/sys"
)

// A rawEnd is a file, or a socket, that the kernel copies to or from.
type rawEnd struct {
	syscall.RawConn
	isSocket bool
}

// rawOf is the descriptor of a file or a socket from which the kernel does not wait for
// more than a disk; nil: x is none. What has a descriptor, but is not of packages os and
// net, may do more than read it, or write it; of theirs also what io.Copy makes of a file
// that is to be read without its WriteTo.
func rawOf(x any) *rawEnd {
	c, ok := x.(syscall.Conn)
	if !ok || !sys.Supported {
		return nil
	}
	t := reflect.TypeOf(x)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	isSocket := false
	switch t.PkgPath() {
	case "os":
		f, ok := x.(fs.File)
		if !ok {
			return nil
		}
		if i, err := f.Stat(); err != nil || !i.Mode().IsRegular() {
			return nil
		}
	case "net":
		isSocket = true
		s, ok := x.(net.Conn)
		if !ok || s.LocalAddr() == nil {
			return nil
		}
		if n := s.LocalAddr().Network(); n != "tcp" && n != "unix" {
			return nil // of messages
		}
	default:
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return &rawEnd{raw, isSocket}
}

// readNow and writeNow wait for no more than a disk: EAGAIN where they would.
func (r *rawEnd) readNow(fd uintptr, p []byte) (int, error) {
	if r.isSocket {
		return sys.RecvNow(fd, p)
	}
	return sys.ReadNow(fd, p)
}

func (r *rawEnd) writeNow(fd uintptr, p []byte) (int, error) {
	if r.isSocket {
		return sys.SendNow(fd, p)
	}
	return sys.WriteNow(fd, p)
}

// isOver reports whether all was read. It takes no byte; but an error of a socket is told
// once, and to whoever looks: so it is told here. With wait it returns when that is known;
// without, what a socket may bring yet is more.
func (r *rawEnd) isOver(wait bool) (over bool, err error) {
	var one [1]byte
	peek := sys.PeekNow
	if r.isSocket {
		peek = sys.RecvPeekNow
	}
	var failed error
	err = r.Read(func(fd uintptr) bool {
		var n int
		n, failed = peek(fd, one[:])
		over = n == 0 && failed == nil
		return !wait || failed != syscall.EAGAIN
	})
	if err == nil && failed != nil && failed != syscall.EAGAIN && r.isSocket { // of a file a Read tells it again
		err = os.NewSyscallError("read", failed)
	}
	return over, err
}
