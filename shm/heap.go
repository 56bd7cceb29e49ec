package shm

import (
	"fmt"
	"os"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

var pageSize = uint64(os.Getpagesize())

// provideStep is how much is asked for at a time; a signal starts it over.
const provideStep = 64 << 20

// provide puts memory behind an extent that no object has, of which the first zero bytes
// are zeroed, or all if that is 0. Failing, it may have got some of it.
func (a *attachment) provide(x region.Extent, zero uint64) error {
	if zero == 0 {
		zero = x.Size
	}
	if a.fd == nil { // a region in ordinary memory
		mem.Zero(a.Ptr(x.Off, zero), uintptr(zero))
		return nil
	}
	first := (x.Off + pageSize - 1) &^ (pageSize - 1)
	zeroed := zero == x.Size && first < x.End() && x.End()-first >= pageSize && sys.PunchHole(a.fd, int64(x.Off), int64(x.Size)) == nil
	for off := x.Off; off < x.End(); off += provideStep {
		n := min(provideStep, x.End()-off)
		err := sys.Fallocate(a.fd, int64(off), int64(n))
		if noFallocate(err) {
			err = writeZeroes(a.fd, region.Extent{Off: off, Size: n})
		}
		if err != nil {
			return err
		}
	}
	if !zeroed {
		mem.Zero(a.Ptr(x.Off, zero), uintptr(zero))
	}
	return nil
}

// giveBack gives the pages under x to the file system, but for those that
// reach out of run, the free run around it. Failing, it costs memory until the
// next use of x and nothing else.
func (a *attachment) giveBack(x, run region.Extent) {
	if a.fd == nil {
		return
	}
	from := max(x.Off&^(pageSize-1), (run.Off+pageSize-1)&^(pageSize-1))
	to := min((x.End()+pageSize-1)&^(pageSize-1), run.End()&^(pageSize-1))
	if from < to {
		sys.PunchHole(a.fd, int64(from), int64(to-from))
	}
}

// noSpace is ErrNoSpace with the figures.
func (a *attachment) noSpace(need, free uint64, cause error) error {
	files := "unknown"
	if a.fd != nil {
		if n, err := sys.FreeBytes(a.fd); err == nil {
			files = fmt.Sprint(n)
		}
	}
	pieces := ""
	if _, largest := a.Pieces(); need <= free && cause == nil {
		pieces = fmt.Sprintf(" in pieces of at most %d", largest)
	}
	err := fmt.Errorf("%w: %d bytes needed, %d free in the region (of %d)%s, %s free in its file system", ErrNoSpace, need, free, a.Geo.HeapSize(), pieces, files)
	if n, size, who := a.stillOpen(); n > 0 {
		err = fmt.Errorf("%w; %d bytes are in %d removed objects or connections that somebody has open%s", err, size, n, who)
	}
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
