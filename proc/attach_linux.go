package proc

import (
	"fmt"
	"os"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
	"example.com/tandem/shm"
)

// attach opens the regions that a child was handed, at the descriptors that
// follow the hand-over's, and closes those.
func attach(h *head) error {
	var regions []*shm.Region
	for i, hr := range h.Regions {
		f := os.NewFile(uintptr(handoverFD+1+i), hr.Name)
		writable, err := sys.Writable(f)
		var r *shm.Region
		if err == nil {
			// Whose it is, the parent has checked, which may be allowed more.
			r, err = shm.OpenFile(f, &shm.Options{ReadOnly: !writable, AnyOwner: true})
		}
		f.Close()
		if err == nil {
			var k object.RegionKey
			if k, err = regionKey(r); err == nil && k != hr.Key {
				err = fmt.Errorf("descriptor %d is region %v, not %v", handoverFD+1+i, k, hr.Key)
			}
		}
		if err != nil {
			return fmt.Errorf("attach to region %s: %w", hr.Name, err)
		}
		regions = append(regions, r)
	}
	listed := make([]*shm.Region, len(h.Listed))
	for i, n := range h.Listed {
		if n < 0 || n >= len(regions) {
			return fmt.Errorf("region %d of %d was listed", n, len(regions))
		}
		listed[i] = regions[n]
	}
	handedOver.Store(&listed)
	return nil
}

// landed tells the parent that this process holds what its argument has.
func landed(h *head) {
	if h.Flight {
		os.NewFile(uintptr(handoverFD+1+len(h.Regions)), "flight").Close()
	}
}

// detach is an orderly death in what was handed over.
func detach(h *head) {
	for _, hr := range h.Regions {
		shm.Detach(hr.Key)
	}
}
