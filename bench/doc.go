// Package bench times every primitive beside its nearest peers: Go's own sync
// and channels, a Unix socket, Python's multiprocessing, and in C pthread, sem_t,
// a bare futex, and queues as one writes them where nobody dies (testdata/*.c).
//
//	go test -run XXX -bench . ./bench
//	go test -run XXX -bench . ./bench -table    # and the tables of docs/performance.md at the end
//	TANDEM_TESTS=bars go test -v -run 'TestBars$' ./bench -table    # what is promised of them
//
// A benchmark is a contest. Its contestants run in turn, some 30 ms each, round
// after round, so that a processor that slows down or wanders slows them all;
// the ratio of two is the median of their ratios in each round, and holds where
// nanoseconds do not. On Tandem's line x-NAME says how many times as fast it is
// as NAME: above 1, Tandem is faster. %-spread is the middle half of a line's
// rounds, in percent of their median: above some 30 the machine was busy.
//
// Before and after each round of two processes the cache line itself is timed,
// there and back (line_linux_test.go). It tells whether the two processors were
// near or far, which a hypervisor may change at any time; in the tables near and
// far have rows of their own, and a round in which they moved is left out.
//
// Round trips have turns of their own in which each trip is timed, for their
// percentiles (p50-ns, p99-ns, p99.9-ns, max-ns); a look at the clock, some 25 to
// 50 ns, is part of each.
//
// -benchtime is what each contestant gets, in all rounds together; with Nx
// there is one round of N operations. Each turn counts what it did: it is an
// error if a lock's counter, a queue's messages or a barrier's rounds are not
// what they must be.
//
// What needs one process runs on the first processor, what needs two on the
// first two, one each. A Go process that is pinned like that has GOMAXPROCS 1,
// and its waits look, and let others run, in turn. "unpinned" is two processes as a
// user starts them, on all processors, where a wait spins for up to 150 µs. What
// goroutines do with each other (sync.Mutex contended, channels) is in one
// process on all processors. Where there are more processes than two none is
// pinned, and a turn takes some 120 ms.
//
// What is not there (gcc, python3, a second processor) is skipped.
package bench
