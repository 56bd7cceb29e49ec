// Package golden keeps images of regions, testdata/vN/*.gz for each layout
// version N, and tests that today's code still writes them byte for byte and
// reads them, and that a reader in another language, written from
// docs/layout.md, finds in them what Go does.
//
// An image is made by processes that take turns and then close, or are all
// stopped and killed, so that nobody recovers anybody and the file holds just
// what the dead left. What is different each time is then set to fixed values:
//
//	header        id, boot id, time of making, inode, counts of changes, of ends
//	              and of answers, who is on duty
//	participants  pid, namespaces, start time and the sum of these, times of
//	              attaching and of its last user's end, the guard's thread id,
//	              deaths noticed untold, how often the bell was rung, what was
//	              asked and answered, which end was told
//	waits         since when, and in which slot
//	entries       time of making
//	mutexes       sequence, since when; of the directory's, whether anybody
//	              waited for it
//	bells         whether a ring found nobody; not of queues. Of listeners and streams
//	              all that they say
//	heap          what is in no object becomes zeroes
//
// One image is of an earlier build, and no scene makes it today: unopened, which
// has a removed object that nobody has open.
//
// A field that is 0 stays 0. All else is compared, the derived tables too:
// processes of an older and a newer build that share a region must agree on
// them. Reserved bytes are compared and so stay zero.
//
// To change the layout, raise layoutVersion in package shm, say on the page
// what is different, and make the images of the new version:
//
//	go test ./test/golden -run Golden -update
//
// -update never replaces an image by a different one. While a version has not
// been released, remove its images first.
package golden
