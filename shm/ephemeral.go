package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	gosync "sync"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// When a region ends, and who takes its name away.
//
// Two bytes of the file serve as locks, of open file descriptions, so they are
// given up by death too:
//
//	life  of an ephemeral region: shared by every process in it, on the
//	      description that it keeps to itself, from before it takes a record
//	      until after it has freed it, and by every description that is on
//	      its way into a process. Exclusive: by the process that ends the region.
//	name  of every region: exclusive, for the moment of an unlinking by name.
//
// Rules.
//
//	L1  A process that gets the life byte exclusively ends the region: nobody
//	    lives in it. It stores lifeGone and takes the name away.
//	L2  A newcomer tries L1 first. If that fails because the byte is held
//	    exclusively, the region is being ended, and it starts again; if the byte
//	    is held shared somebody lives. Then it takes the byte shared, and under
//	    it looks that lifeGone is not stored and that the name still means this
//	    file; else it starts again.
//	    A newcomer with a descriptor does not ask for the name: that may have
//	    been taken away, and the region lives on.
//	L3  A process that leaves, or cannot come in, gives its share up, then tries L1.
//	L4  A name is taken away under the name byte of the file that it means, by
//	    a process that has seen there that the name means that file. Names are
//	    given by linkat alone, which replaces nothing, so a name that means this
//	    file goes on meaning it while the byte is held.
//	L5  A parent that starts a process in the region has it inherit a
//	    description with a share of its own, which the new process closes when
//	    it has its own share by L2: of its parent's it needs none. Nobody
//	    unlocks that share, which belongs to every process with the
//	    description. So the parent, when it has closed its descriptor, and when
//	    the process has ended, tries L1: of a region that all have left, it may
//	    have been the last share.
//
// Two that leave at once: each tries L1 after it gave its share up, so the one
// that tries last finds no share, unless a newcomer came in, which then lives
// there. A newcomer that failed L1 and gets its share after the last one left
// joins a region that has not ended: as if it had come before.
//
// Death: before lifeGone is stored the region has not ended, and the next
// process to meet it finds nobody living, and does L1 again. After that, nobody
// can come in (L2), and the next to meet the name takes it away (L4). A region
// whose last process was killed has nobody to unlink it: it does not exist for
// Open, and is swept by the next process that creates, opens or lists regions
// in that directory.
//
// A process that is stopped between its look and its unlinking holds the name
// byte; others then wait for a while and report it.
//
// # Whose files a sweep opens
//
// Those that have ephemeralMark, and no others. A process that closes a file, by whatever
// descriptor, gives up all POSIX locks (fcntl, F_SETLK) that it has on it: SQLite's, say,
// on a database that lies beside the region. To be asked whether it is one of ours a file
// must be opened, and closed.
//
// A copy of an ephemeral region's file, to be looked at, is a region of its own, in which
// nobody need live: no sweep ends it, nor does who comes to it. It ends by L3, with the last
// process that had it open to write. The header has the inode of the file that it was
// written for.

// ephemeralMark is the sticky bit, which says nothing of a file to Linux.
const ephemeralMark = fs.ModeSticky

// isCopy reports that the file is a copy of the one that was made with this header.
func (v *regionFile) isCopy() bool { return v.h.Inode != v.id.Ino }

// lives is L2's first half, on a file that was opened for nothing else. It
// returns errGone after it ended the region, or found that it has ended.
func (v *regionFile) lives(readOnly bool) error {
	if v.isCopy() {
		return nil
	}
	if readOnly { // may neither lock nor unlink
		if held, err := sys.Test(v.f, region.LifeByte); err == nil && !held {
			return &fs.PathError{Op: "open", Path: v.path, Err: fs.ErrNotExist}
		}
		return nil
	}
	over, err := endIfDead(v.f, v.id, v.path)
	switch {
	case over && err != nil: // neither can the next try
		return fmt.Errorf("%w (%w); %w", errNobody, fs.ErrNotExist, err)
	case over:
		return errGone
	}
	return err
}

var errNobody = errors.New("an ephemeral region in which no process lives")

// takeLife is L2's second half. It is called before this process takes a
// record, and holds until its private description is closed.
func (a *attachment) takeLife() error {
	if a.Geo.Flags&region.FlagEphemeral == 0 {
		return nil
	}
	err := shareLife(a.private)
	if err == nil && a.path != "" {
		if err = means(a.path, a.file); errors.Is(err, fs.ErrNotExist) {
			err = errGone
		}
	}
	return err
}

// shareLife takes a share of the life byte for the description f, if the region
// has not ended; else errGone.
func shareLife(f *os.File) error {
	err := sys.Lock(f, region.LifeByte, 1, false)
	if errors.Is(err, sys.ErrLocked) {
		return errGone
	}
	if err != nil {
		return err
	}
	var b [4]byte
	if _, err := f.ReadAt(b[:], int64(region.HdrLife)); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(b[:]) == region.LifeGone {
		return errGone
	}
	return nil
}

// leaveLife is L3. It is called after this process's record was freed; w is a
// mapping of the region that is still in place.
func (a *attachment) leaveLife(w words) error {
	if a.Geo.Flags&region.FlagEphemeral == 0 {
		return nil
	}
	if err := sys.Unlock(a.private, region.LifeByte, 1); err != nil {
		return err
	}
	if err := sys.Lock(a.private, region.LifeByte, 1, true); err != nil {
		return others(err)
	}
	mem.Store32(w.W32(region.HdrLife), region.LifeGone)
	return takeAway(a.private, a.file, a.where())
}

// lifeTries is how often the life byte may change hands between the try to lock it
// and the question who has it.
const lifeTries = 16

// endIfDead is L1, for a description that has no share. over is true when the
// region has ended, by this or before, or is being ended: the process that has
// the byte exclusively got it because nobody lives there, and if that one dies
// at it, the next to come ends the region. Of one that has ended, an error is
// why its name could not be taken away. The byte is not left to f's closing: a
// child forked without exec would keep it.
func endIfDead(f *os.File, id sys.FileID, path string) (over bool, err error) {
	defer sys.Unlock(f, region.LifeByte, 1)
	var b [4]byte
	for range lifeTries {
		if err = sys.Lock(f, region.LifeByte, 1, true); err == nil {
			binary.LittleEndian.PutUint32(b[:], region.LifeGone)
			if _, err = f.WriteAt(b[:], int64(region.HdrLife)); err != nil {
				return false, err
			}
			break
		}
		if !errors.Is(err, sys.ErrLocked) {
			return false, err
		}
		exclusive, held, err := sys.Exclusive(f, region.LifeByte)
		if err != nil {
			return false, err
		}
		if held {
			if _, err := f.ReadAt(b[:], int64(region.HdrLife)); err != nil {
				return false, err
			}
			over = exclusive
			break
		}
	}
	if binary.LittleEndian.Uint32(b[:]) == region.LifeGone {
		return true, takeAway(f, id, path)
	}
	return over, nil
}

// takeAway is L4 for a region that has ended. What others have done, or are
// at, is no error; but in a directory whose files only their owners may remove
// (sticky, as /dev/shm) the last to leave need not be one.
func takeAway(f *os.File, id sys.FileID, path string) error {
	err := unlinkNamed(f, id, path)
	if err = others(err); err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("what is left of it cannot be taken away: %w", err)
}

// others is err, but nil where it says that another has the byte.
func others(err error) error {
	if errors.Is(err, sys.ErrLocked) {
		return nil
	}
	return err
}

// unlinkNamed is L4, for the file id, behind f. Where another process has the
// name byte, it is at it.
func unlinkNamed(f *os.File, id sys.FileID, path string) error {
	if path == "" {
		return nil
	}
	if err := sys.Lock(f, region.NameByte, 1, true); err != nil {
		return err
	}
	defer sys.Unlock(f, region.NameByte, 1)
	if err := means(path, id); err != nil {
		return err
	}
	return sys.Unlink(path)
}

// endNamed ends what has the name path if it is an ephemeral region in which
// nobody lives, and reports whether it may have made room. An error is why it
// could not be made.
func endNamed(path string) (room bool, err error) {
	v, err := peek(path, true)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist), nil
	}
	defer v.f.Close()
	if v.h.Flags&region.FlagEphemeral == 0 || v.isCopy() {
		return false, nil
	}
	over, err := endIfDead(v.f, v.id, path)
	if !over {
		return false, nil
	}
	if err != nil {
		err = fmt.Errorf("%w has the name; %w", errNobody, err)
	}
	return err == nil, err
}

// peek opens a file that a region's header starts.
func peek(path string, writable bool) (regionFile, error) {
	f, st, err := openFile(path, writable)
	if err != nil {
		return regionFile{}, err
	}
	h, err := readHeader(f, st.Size)
	if err != nil {
		f.Close()
		return regionFile{}, err
	}
	return regionFile{f: f, id: st.FileID, h: h, path: path}, nil
}

// sweep takes away what dead processes left in dir: ephemeral regions and
// unfinished files. It returns the files that are left. What it may not touch
// it leaves to those who may.
func sweep(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	left := entries[:0]
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case !e.Type().IsRegular():
		case isTemp(e.Name()):
			sweepTemp(path)
		default:
			if isCorpse(path) {
				if room, _ := endNamed(path); room {
					continue
				}
			}
			left = append(left, e)
		}
	}
	return left, nil
}

// isCorpse looks without locking anything, so that the living are not disturbed.
func isCorpse(path string) bool {
	if st, err := sys.Lstat(path); err != nil || st.Mode&ephemeralMark == 0 {
		return false
	}
	v, err := peek(path, false)
	if err != nil {
		return false
	}
	defer v.f.Close()
	if v.h.Flags&region.FlagEphemeral == 0 {
		return false
	}
	held, err := sys.Test(v.f, region.LifeByte)
	return err == nil && !held
}

const (
	sweepRest = time.Second // between two sweeps of a directory
	sweptMost = 64          // directories of which this process remembers when it swept them
)

// sweepNow is sweep for those who open: a directory at most once in sweepRest, for
// a program that opens regions in a loop among many files.
func sweepNow(dir string) {
	swept.Lock()
	now := time.Now()
	due := now.Sub(swept.at[dir]) >= sweepRest
	if due {
		if len(swept.at) >= sweptMost {
			clear(swept.at)
		}
		swept.at[dir] = now
	}
	swept.Unlock()
	if due {
		sweep(dir)
	}
}

var swept = struct {
	gosync.Mutex
	at map[string]time.Time
}{at: map[string]time.Time{}}
