package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// recoverStream is what becomes of the ends of the dead.
func recoverStream(a mem.Area, env Env, dead Self) error {
	if !a.Has(0, streamRings) {
		return badStream("a stream of %d bytes", a.Size())
	}
	acceptor := a.W64(streamAcceptor)
	for _, end := range []*uint64{a.W64(streamDialer), acceptor} {
		if who, ok := streamHolder(mem.Load64(end)); ok && who == dead {
			mem.Or64(end, streamAll)
			if end != acceptor {
				mem.CAS64(acceptor, 0, streamRefused)
			}
		}
	}
	for way := range uint64(2) {
		w := streamWays + way*streamWaySize
		for _, off := range []uint64{w + streamBell, w + streamR + streamBell} {
			b := NewBell(a.W32(off), env)
			b.Bump()
		}
	}
	_, err := streamConfig(a)
	return err
}

// lookStream describes a stream for a snapshot.
func lookStream(a mem.Area) Look {
	s, err := AttachStream(a, Env{}, true)
	if err != nil {
		return Look{State: "corrupt"}
	}
	l := Look{Cap: 2 * int(s.buffer)}
	d, x := mem.Load64(s.own), mem.Load64(s.peer)
	for _, end := range []struct {
		what string
		x    uint64
		way  *streamWay
	}{{"dialer", d, &s.out}, {"acceptor", x, &s.in}} {
		r := mem.Load64(end.way.r)
		unread := int(min(mem.Load64(end.way.w)-r, s.buffer))
		l.Len += unread
		if who, ok := streamHolder(end.x); ok && end.x&streamGone == 0 {
			l.Holders = append(l.Holders, Holding{Who: who, What: end.what, N: unread})
		}
	}
	l.Value = fmt.Sprintf("written %d and %d", mem.Load64(s.out.w), mem.Load64(s.in.w)) // by the dialer, by the acceptor
	switch {
	case x == 0:
		l.State = "not accepted"
	case x&streamIndex == streamIndex:
		l.State = "refused"
	case d&streamGone != 0 || x&streamGone != 0:
		l.State = "closed"
	case d&streamWC != 0 || x&streamWC != 0:
		l.State = "half closed"
	}
	for _, b := range []*Bell{&s.out.data, &s.out.room, &s.in.data, &s.in.room} {
		if b.Armed() {
			l.Waiters = 1
		}
	}
	return l
}

// checkStream verifies what holds at any instant.
func checkStream(a mem.Area) error {
	s, err := AttachStream(a, Env{}, true)
	if err != nil {
		return err
	}
	for _, end := range []*uint64{s.own, s.peer} {
		x := mem.Load64(end)
		_, ok := streamHolder(x)
		switch {
		case end == s.peer && (x == 0 || x&^streamGone == streamRefused):
		case !ok, uint32(x)&^(streamIndex|streamAll) != 0:
			return badStream("an end is %#x", x)
		case x&streamGone != 0 && x&streamAll != streamAll:
			return badStream("an end is gone, and not all of it: %#x", x)
		}
	}
	for _, h := range []*streamWay{&s.out, &s.in} {
		for range 3 {
			r := mem.Load64(h.r)
			w := mem.Load64(h.w)
			if mem.Load64(h.r) != r {
				continue
			}
			if w-r > s.buffer {
				return badStream("%d bytes written, %d read, of %d", w, r, s.buffer)
			}
			break
		}
	}
	return nil
}

func init() {
	register(KindStream, Ops{Name: "stream", Recover: recoverStream, Look: lookStream, Check: checkStream})
}
