package shm

import (
	"io/fs"
	"sync/atomic"

	"example.com/tandem/internal/object"
)

// Options say how a region is made or opened. The zero value, and nil, are
// the defaults.
type Options struct {
	Size         int64       // bytes of address space; the file is sparse and memory is taken object by object. 0: 1 GiB. Create only
	Mode         fs.FileMode // permissions of the file, set past the umask. 0: 0o600. Create only
	AnyOwner     bool        // accept a region that another user owns
	Participants int         // processes attached at once. 0: 64, at most 1024. Create only
	Objects      int         // directory entries. 0: 1024. Create only
	ReadOnly     bool        // map PROT_READ: for inspection; takes no participant slot
	Ephemeral    bool        // the region ends with its last participant, closed or dead. Create only
}

// A Region is a handle on a mapped file that holds named objects.
type Region struct {
	a        *attachment
	existing bool         // OpenX only finds
	closed   *atomic.Bool // this handle's
}

// Error is the type of every error of this module's packages.
type Error = object.Error
