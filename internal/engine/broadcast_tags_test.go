package engine

import "testing"

// A tag that comes round is not given again while a message has it, in the ring or not in it yet,
// or a drain: whoever looks for that one would find the other.
func TestBroadcastTagsComeRound(t *testing.T) {
	defer tags.Store(tags.Load())
	c := BroadcastConfig{Slots: 4, MaxMessage: 300, Blocks: 16, BlockSize: 64, Rows: 8, Subscribers: 4}
	a, b := newBroadcast(t, c)
	other := attachBroadcast(t, a, 2)
	from := uint64(1 << 20)
	tags.Store(from)
	taken := map[uint64]string{}
	if err := b.TryPublish(said(1, 300)); err != nil {
		t.Fatal(err)
	}
	taken[*b.pool.owner(firstBlock(*b.slot(b.front.load() - 1)))] = "a message's"
	m := outgoing{msg: said(2, 300), tag: b.newTag(), want: b.blocks(300)}
	if err := b.prepare(&m, false); err != nil {
		t.Fatal(err)
	}
	taken[m.tag] = "that of a message on its way"
	*other.drain = b.newTag() // it has removed one of b's
	taken[*other.drain] = "in a drain"
	for round := range uint64(2) {
		tags.Store((round+1)*tagRound + from)
		for range 8 {
			if tag := b.newTag(); tag == 0 || taken[tag] != "" {
				t.Errorf("round %d: tag %#x is %s", round+2, tag, taken[tag])
			}
		}
	}
	if len(taken) != 3 {
		t.Errorf("tags %v", taken)
	}
}
