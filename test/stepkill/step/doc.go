// Package step kills a process after any chosen instruction of an operation.
//
// It is the lower half of package stepkill and knows nothing of regions: it
// starts victims, steps and kills them, and plans which deaths to try.
//
// # How
//
// The victim is the test binary run again. [Main], called first in TestMain
// (or in an init function of a test file), runs the operation that was asked
// for by name; elsewhere it returns at once. The victim's main goroutine is
// locked to its main thread, which is traced by one locked thread of the
// parent. When the operation has been prepared it stops itself by SIGSTOP;
// from there on its main thread executes one instruction at a time
// (PTRACE_SINGLESTEP), until the parent kills the process with SIGKILL. Its
// other threads (a guard, the collector) run freely, as they would.
//
// There is no hook in what is tested: the victim runs the code that ships. Of
// the Go runtime one thread is held still meanwhile (monitor_linux.go), which
// would find the slow goroutine at fault.
//
// What a process does on another thread than its main one is stepped by
// [RegisterGuard].
//
// # Which deaths
//
// Where an operation is short, all of them: after 0, 1, 2, … instructions
// until it has returned.
//
// Where it is long, it is enough to kill after each effect. A survivor can
// know of the victim only what its instructions did to memory that both map,
// or by a system call. Between two such instructions the victim changes
// nothing but its own registers and private memory, which end with it, so
// deaths there leave the same world and one of them stands for all. [Every]
// therefore compares the bytes of all files in the stage's directory after
// each step, looks at each system call, and kills after an instruction that
// changed bytes or made a call that others can notice. A store of the value
// that was there already changes nothing and does not count; nor does what
// others changed while the victim executed what reaches no memory that they map
// (shared_linux.go).
//
// An effect is known by its instruction and by how many effects that
// instruction has had before since the last system call, not by its number in
// the run: a victim's path is not the same in each run (its other threads run
// beside it, and it spins by the clock), and numbers would slip.
//
// The first victim comes through, and shows the way. Those that follow run
// along it at full speed, to the system call and then to the instruction that
// their death is about, where the processor stops them (a breakpoint of its
// own, not in the code). One that does not come by there dies after the next
// effect at which nobody has died yet.
//
// A victim reads the clock by system calls (clock_linux.go).
//
// What only lets time pass (mem.Bide) is passed over, and is one point, unless every
// instruction is asked for.
//
// Some more deaths are spread evenly over all instructions, as a check on the
// argument.
//
// # How many
//
// The ordinary run tries a random sample, which costs seconds: the first and
// the last effect, one of those between, and one of all instructions; of several
// ways to the same a third ([Some]). The log names its seed; TANDEM_STEPKILL_SEED
// repeats it. With TANDEM_TESTS=long it is each instruction of what is short and
// each effect of what is long, those that come up only in later runs too: the
// first run that comes through without one ends the series, or the 14th; the fifth of an
// operation of more than 10,000 instructions.
//
// # Sleep
//
// A victim that blocks in a futex or a lock of the kernel is found asleep: one
// more point to die at. After that the stage's wake function lets it go on (an
// Unlock, a Put), or, without one, the operation ends there.
//
// # Environment
//
//	TANDEM_STEPKILL=effects  every effect of everything
//	TANDEM_STEPKILL=all      every instruction of everything
//	TANDEM_STEPKILL=N        about N deaths an operation at most
//	TANDEM_STEPKILL_SEED=N   the seed that the log names
//	TANDEM_STEPKILL_REPORT=F append a line for each operation to file F
package step
