// Package stepkill kills a process after any instruction of an operation on
// a region, and has the survivors show that nothing hangs and nothing is lost.
// It is for tests, of this module's packages and of programs that keep
// structures of their own in a region.
//
//	func init() { stepkill.Main() } // or first in TestMain
//
//	var lockUnlock = stepkill.Register("lock-unlock", func(r *shm.Region) (func() error, error) {
//		m, err := sync.OpenMutex(r, "m")
//		return func() error { return errors.Join(m.Lock(ctx), m.Unlock()) }, err
//	})
//
//	func TestMutexKilledAnywhere(t *testing.T) {
//		stepkill.Every(t, lockUnlock, func(t *testing.T, s *stepkill.Stage) {
//			m := openMutex(t, s.Region)
//			death := s.Die(nil)
//			if err := m.Lock(stepkill.Watchdog(t)); errors.Is(err, sync.ErrOwnerDied) {
//				recoverMutex(t, m) // it died holding: a survivor is told, and takes over
//			} else if err != nil {
//				t.Errorf("Lock after a death %v = %v", death, err)
//			}
//		})
//	}
//
// The victim runs the operation in a process of its own, one instruction at a
// time. How, which deaths are tried, and what the environment can change is
// told in package step, which does the work and serves also where there is no
// region yet: for the making of one.
//
// [EveryRecovery] has one die that recovers the dead.
//
// Each operation adds a line to the test's log, and to the file that
// TANDEM_STEPKILL_REPORT names:
//
//	stepkill: TestMutexKilledAnywhere: lock-unlock: 17 kills survived (12 of 15 effects of 5395 instructions, 4 spread evenly; seed 736393; 0.3 s)
package stepkill
