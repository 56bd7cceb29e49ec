package engine

import "example.com/tandem/internal/mem"

// How one waits for room, and why a long message gets some among short ones.
//
// Of those that wait, whoever comes first when there is room takes it. So one that needs
// much might find for ever that others were there before it. Having waited for longer than
// patience, while others sent, it says so in starving, and who comes stands back:
//
//	H1 set starving  H2 arm room  H3 S1 to S4  H4 sleep on room
//	K1 starving: arm turn  K2 starving is 0: S1  K3 sleep on turn, up to K1 and patience;
//	   then, whatever starving says: S1
//	G1 I was starving, and have sent, or give up: starving to 0  G2 turn: ring for all
//
// No lock is held, and no room is anybody's: what is received while others stand back is
// free, until it is enough. Each Send stands back once at most. So those that come take room
// for one message each in patience, and as long as receivers take more than that the room
// grows. One that does not find enough for itself, and waits for room when starving is set,
// stands back with its next Send.
//
// # Nobody sleeps on for it
//
// As long as starving is set, some call that set it is between H1 and G1, or dead, and its
// recovery does G1 and rings. Or another that was starving has done G1 too early for it: it
// finds out by its next look, and does H1 again; meanwhile it has lost some room. One that
// stands back has armed turn before K2, so either K2 sees G1, or G2 finds the bell armed:
// G1 is an XCHG. And it goes on after patience in any case: a process that is stopped while
// it is starving costs each Send that, and no more.
//
// To whom room was told is no matter: it is rung for all.

// A roomWait is how one Send waits.
type roomWait struct {
	y        *pipeWay
	since    int64  // when it began
	sent     uint64 // W by then
	r        uint64 // as it was last looked at
	starving bool
}

func (y *pipeWay) waitsForRoom(s Sleeper) roomWait {
	return roomWait{y: y, since: s.Now(), sent: mem.Load64(y.w), r: mem.Load64(y.r)}
}

// moved reports that something was received since the last look.
func (q *roomWait) moved() bool { return mem.Load64(q.y.r) != q.r }

// look is before H3: H1, where it is due.
func (q *roomWait) look(s Sleeper) {
	q.r = mem.Load64(q.y.r)
	if !q.starving {
		if s.Now()-q.since <= patience || mem.Load64(q.y.w) == q.sent {
			return
		}
		q.starving = true
	}
	if mem.Load32(q.y.starving) == 0 {
		mem.Store32(q.y.starving, 1) // H1
	}
}

// over is G1 and G2.
func (q *roomWait) over() {
	if q.starving {
		mem.Store32(q.y.starving, 0) // G1
		q.y.turn.Ring(-1)            // G2
	}
}

// isStarved reports that somebody has said so.
func (y *pipeWay) isStarved() bool { return mem.Load32(y.starving) != 0 }

// standBack is K1 to K3.
//
//go:noinline
func (y *pipeWay) standBack(s Sleeper) error {
	for until := s.Now() + patience; y.isStarved(); {
		if s.Spin() {
			continue
		}
		v := y.turn.Arm()                      // K1
		if !y.isStarved() || s.Now() > until { // K2
			break
		}
		if err := sleepUntil(s, y.turn.Word(), v, until); err != nil { // K3
			return err
		}
	}
	return nil
}
