package testproc

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// awaitGone sleeps until process pid is gone, without looking now and then: of sixty
// children in one region, looks would be most of what they use of a processor. Where
// the kernel has no descriptors of processes it returns after a second.
func awaitGone(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		time.Sleep(time.Second)
		return
	}
	defer unix.Close(fd)
	ended := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(ended, -1); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
