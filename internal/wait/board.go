package wait

// A Board is where other processes can read what this one's calls sleep on.
// It is written under the list's lock, and not any more once the list is
// closed; each slot has one word of this process's, and the calls that sleep
// on it.
type Board interface {
	// Since says since when the first of a slot's calls has slept, in
	// CLOCK_MONOTONIC nanoseconds. It comes before a Show that needs it.
	Since(slot int, t int64)
	// Show says that n calls sleep on word; with 0 the slot is free.
	Show(slot int, word *uint32, n int)
	// ShowRest says how many calls sleep that found no slot.
	ShowRest(n int)
}

// BoardSlots is how many words a board can show.
const BoardSlots = 31

// A call is posted before its first sleep and unposted by its Done, so that a
// call that looks again between two sleeps is still shown as waiting. A posting
// costs two stores for the first call on a word, and one for each further call;
// an unposting costs one or two.
//
// A post is a slot as the process itself knows it: nothing is ever read back.
// Its calls stand in order of arrival. When the first call leaves, the time of
// the next one is shown. A call that comes from another word, or had no slot
// before, may have slept for longer than calls that stand there: it is put first
// if it has slept for longer than the first, and last otherwise. So the time
// shown is always that of one of the calls. Where a call came so, it may not be
// the oldest one's.
type post struct {
	word        *uint32
	n           int
	first, last *Waiter // by ahead and behind
}

const (
	placeNone = 0  // not posted
	placeRest = -1 // counted with those that found no slot; else slot + 1
)

// ShowOn makes the list tell b who sleeps. It is called before anybody does.
func (l *List) ShowOn(b Board) { l.board = b }

// post shows that w sleeps on word from now on; l.mu is held.
//
//go:norace
func (l *List) post(w *Waiter, word *uint32, now int64) {
	if w.place > 0 && l.posts[w.place-1].word == word {
		return
	}
	l.unpost(w)
	if w.since == 0 {
		w.since = now
	}
	i := l.slotFor(word)
	if i < 0 {
		w.place = placeRest
		l.rest++
		l.board.ShowRest(l.rest)
		return
	}
	w.place = i + 1
	p := &l.posts[i]
	p.word = word
	p.n++
	switch {
	case p.n == 1:
		p.first, p.last = w, w
		l.board.Since(i, w.since)
	case w.since < p.first.since:
		w.behind, p.first.ahead = p.first, w
		p.first = w
		l.board.Since(i, w.since)
	default:
		w.ahead, p.last.behind = p.last, w
		p.last = w
	}
	l.board.Show(i, word, p.n)
}

// slotFor is the slot of word, or a free one, or -1.
//
//go:norace
func (l *List) slotFor(word *uint32) int {
	free := -1
	for i := range l.posts[:l.used] {
		switch p := &l.posts[i]; {
		case p.word == word:
			return i
		case p.n == 0 && free < 0:
			free = i
		}
	}
	if free < 0 && l.used < BoardSlots {
		free = l.used
		l.used++
	}
	return free
}

// unpost takes w off the board; l.mu is held.
//
//go:norace
func (l *List) unpost(w *Waiter) {
	switch {
	case w.place == placeNone:
		return
	case w.place == placeRest:
		l.rest--
		l.board.ShowRest(l.rest)
	default:
		i := w.place - 1
		p := &l.posts[i]
		word := p.word
		if p.n--; p.n == 0 {
			p.word = nil
		}
		if w.behind != nil {
			w.behind.ahead = w.ahead
		} else {
			p.last = w.ahead
		}
		if w.ahead != nil {
			w.ahead.behind = w.behind
		} else if p.first = w.behind; p.n > 0 {
			l.board.Since(i, p.first.since)
		}
		l.board.Show(i, word, p.n)
	}
	w.place, w.ahead, w.behind = placeNone, nil, nil
}
