package engine

import (
	"errors"
	"fmt"

	"example.com/tandem/internal/mem"
)

// recoverPipe is R1 to R3.
func recoverPipe(a mem.Area, env Env, dead Self) error {
	p, err := AttachPipe(a, env)
	if err != nil {
		return err
	}
	if uint64(dead.Index/64) >= p.words {
		return badPipe("participant %d, and bits for %d", dead.Index, 64*p.words)
	}
	for _, y := range p.ways { // R1
		if y != nil {
			err = errors.Join(err, y.sending.takeFrom(dead, false), y.receiving.takeFrom(dead, false))
		}
	}
	for side := range p.ways { // R2
		w, bit := p.bit(side, dead.Index)
		mem.And64(w, ^bit)
		p.tryEnd(side)
	}
	for _, y := range p.ways { // R3
		if y != nil {
			mem.Store32(y.starving, 0)
			y.data.Bump()
			y.room.Bump()
			y.turn.Bump()
		}
	}
	return err
}

var (
	pipeSides  = [2]string{"left", "right"}
	pipeStates = [4]string{"never opened", "open", "gone", "corrupt"}
)

// lookPipe describes a pipe for a snapshot.
func lookPipe(a mem.Area) Look {
	p, err := AttachPipe(a, Env{})
	if err != nil {
		return Look{State: "corrupt"}
	}
	var l Look
	e := mem.Load64(p.e)
	l.State = fmt.Sprintf("left %s, right %s", pipeStates[pipeState(e, PipeLeft)], pipeStates[pipeState(e, PipeRight)])
	for side, y := range p.ways {
		if y != nil {
			r := mem.Load64(y.r)
			n := min(mem.Load64(y.w)-r, y.bytes)
			l.Len += int(n)
			l.Cap += int(y.bytes)
			if p.ways[1] != nil {
				if side > 0 {
					l.Value += ", "
				}
				l.Value += fmt.Sprintf("%d from the %s", n, pipeSides[side])
			}
			if y.data.Armed() || y.room.Armed() || y.turn.Armed() {
				l.Waiters = 1
			}
		}
		l.Holders = append(l.Holders, p.holders(side)...)
	}
	for side, y := range p.ways {
		if y == nil {
			continue
		}
		if who, ok := y.sending.Owner(); ok {
			l.Holders = append(l.Holders, Holding{Who: who, What: pipeSides[side] + " sending", N: 1})
		}
		if who, ok := y.receiving.Owner(); ok {
			l.Holders = append(l.Holders, Holding{Who: who, What: pipeSides[1-side] + " receiving", N: 1})
		}
	}
	return l
}

// holders are those that have an end. Whose epoch is the record's: Self with epoch 0.
func (p *Pipe) holders(side int) (hs []Holding) {
	for i := range uint32(64 * p.words) {
		if w, bit := p.bit(side, i); mem.Load64(w)&bit != 0 {
			hs = append(hs, Holding{Who: Self{Index: i}, What: pipeSides[side] + " end", N: 1})
		}
	}
	return hs
}

// checkPipe verifies what holds at any instant. W and R are verified only if R stands still
// for long enough to be read twice; frames are not walked, which would need a lock.
func checkPipe(a mem.Area) error {
	p, err := AttachPipe(a, Env{})
	if err != nil {
		return err
	}
	e := mem.Load64(p.e)
	for side := range p.ways {
		if s := pipeState(e, side); s > pipeGone {
			err = errors.Join(err, badPipe("the %s end is %d", pipeSides[side], s))
		}
	}
	if e&(pipeOpening-1) != 0 && e < pipeOpening {
		err = errors.Join(err, badPipe("ends %#x that nobody opened", e))
	}
	for side, y := range p.ways {
		if y == nil {
			continue
		}
		at := pipeWay0 + uint64(side)*pipeWaySize
		err = errors.Join(err, checkMutex(a.Sub(at+pipeSending, MutexSize)), checkMutex(a.Sub(at+pipeReceiving, MutexSize)), y.check())
	}
	return err
}

func (y *pipeWay) check() error {
	for range 3 {
		r := mem.Load64(y.r)
		w := mem.Load64(y.w)
		if mem.Load64(y.r) != r {
			continue
		}
		if w-r > y.bytes || (w|r)&7 != 0 {
			return badPipe("sent %d, received %d, of %d bytes", w, r, y.bytes)
		}
		break
	}
	return nil
}

func init() {
	register(KindPipe, Ops{Name: "pipe", Recover: recoverPipe, Look: lookPipe, Check: checkPipe})
}
