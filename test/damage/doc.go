// Package damage tests what a corrupted region does to those who use it: an
// error that says so, or a wrong result, and nothing worse.
//
// A region is used by several processes, which are then killed. Each round
// copies the file they left, damages the copy by a seed, before it is opened or
// while it is in use, and calls every operation on it, what blocks with a
// deadline. What a round must not see:
//
//   - a panic, or a fault: the process dies
//   - a call that goes on long after its deadline
//   - an error that is no *shm.Error or wraps nothing that is documented
//   - memory taken out of proportion to the region
//   - another process in the region hurt, or its guard busy
//
// The rounds run in a process of their own, so that one that dies names its
// seed, which runs again by
//
//	go test ./test/damage -run Damage -seed 4711 -rounds 1 -v
//
// With new damage for as long as one likes, and with coverage to guide it:
//
//	go test ./test/damage -run Damage -seed 1000000 -rounds 50000 -timeout 0
//	go test ./test/damage -run - -fuzz FuzzDamage -fuzzminimizetime 5x
package damage
