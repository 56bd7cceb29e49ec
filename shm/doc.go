// Package shm keeps regions: files mapped by several processes, in which the
// objects of packages sync, atomics and ring live.
//
//	region, err := shm.OpenOrCreate("feed", nil) // in each process
//	…
//	defer region.Close()
//	ticks, err := ring.OpenQueue[Tick](region, "ticks", nil)
//
// # Names and lifetime
//
// A region is a file in [Dir], or at a path if its name has a slash. It is there
// until [Remove], or until the system is restarted if it is in memory as
// /dev/shm is; with Ephemeral of [Options], until the last process that has it
// open closes it or dies. One without a name ([Anonymous]) goes to other processes
// as an argument (package proc) or as a descriptor ([Region.File], [OpenFile]).
//
// An object is found by its name in a region, by its kind and by its type; an
// OpenX makes it if it is not there, and [Region.Existing] is a view through
// which OpenX does not. It is there until [Region.Remove].
//
// A handle on an object is let go of when the collector finds that nothing
// reaches it. Its Close ends it at once: calls through it return ErrClosed. It
// ends nothing else: what the process holds in the object it still holds. A
// Slice whose Data was called is in use for as long as the process has the region
// open: nothing can tell whether somebody still has the memory.
//
// # Opening objects
//
// Every OpenX waits while another process makes or removes an object, which is for
// microseconds, or as long as that process is stopped in it; and where there is no room, for
// two seconds at most (see Room). No context ends it. ErrMismatch says that what is there is
// another than is asked for, [ErrNoSpace] that there is no room, [ErrClosed] that the region
// is closed, fs.ErrPermission that it was opened ReadOnly, fs.ErrInvalid that the name cannot
// be one, fs.ErrNotExist that there is none ([Region.Existing]), and syscall.EBUSY that a
// collection of garbage was in the way a thousand times. A process that dies in one leaves no
// object, or a whole one.
//
// # Waiting for several
//
// [WaitAny] waits until one of several things is ready, of any kinds and regions: events,
// semaphores, queues, SPSCs, ends of pipes, subscribers, children. It takes none of them.
//
// # Participants
//
// A process that has a region open is a participant of it, once, however many
// handles it has: the last [Region.Close] ends its part. It is told of others by
// [Region.Participants] and, when they go, by [Region.Exits]. A region opened ReadOnly is looked
// at only: no object can be opened through it.
//
// # Death
//
// A participant that is gone without Close has died. Within milliseconds
// another one recovers it: its locks are abandoned, its leases go back, and
// what it was in the middle of is finished or undone. A stopped process is not
// dead. A process that dies in a function of this package leaves a region, or
// an object, that is there whole or not at all.
//
// # Room
//
// Size of [Options] is address space: memory is taken as objects are made, and
// given back after they are removed and nobody has them open, by itself. A call
// that makes an object and finds no room first has all processes collect
// garbage that have removed ones open. It waits for their cleanups, too, which
// takes half a second where one blocks that is the program's, once. [ErrNoSpace] comes when
// an object is made, and never later.
//
// # What is ordered
//
// Words in a region are ordered between processes as Go's atomics order those of
// one. Which call synchronizes before which, each type of packages sync, atomics
// and ring says. Of this package: all that an OpenX made an object with is
// there for every process that opens it.
//
// # Where it ends
//
// A file that is truncated or written over while it is mapped kills all
// processes that have it open by SIGBUS, idle ones too; an anonymous region's
// cannot be truncated. systemd's RemoveIPC, if it is on, takes away a user's files in
// /dev/shm when the last session of the user ends: those who have a region open go on, and
// the next OpenOrCreate makes another of the same name. In another pid
// namespace, if no running process of the dead one's own is in the region, the
// death of a process of gigabytes is heard when the kernel has freed them. Where all are killed at once nobody is left
// to recover them, or to take an ephemeral region's file away: the next process
// to come does. A child forked without exec must not touch a region, and keeps
// the byte of a parent that is killed locked until it execs or ends: if a
// running process of the parent's pid namespace is in the region, that is no
// obstacle. Open file description locks, robust futexes and /proc are needed:
// without them no region opens but ReadOnly.
//
// [Region.Snapshot] shows everything in a region, who holds and who waits for what
// included, and [Region.Check] verifies it. Command shm (cmd/shm) prints both.
package shm
