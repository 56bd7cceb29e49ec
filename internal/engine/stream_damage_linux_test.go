package engine

import (
	"math/rand/v2"

	"example.com/tandem/internal/mem"
)

// useStream is of TestDamagedMemory. Whoever has either end may be this process.
func useStream(r *rand.Rand, a mem.Area, env Env, wreck func()) {
	var ends [2]*Stream
	for i := range ends {
		wreck()
		s, err := AttachStream(a, env, i == 0)
		if err != nil {
			return
		}
		ends[i] = s
	}
	wreck()
	ends[r.IntN(2)].Accept()
	p := make([]byte, 200)
	for range 30 {
		s := ends[r.IntN(2)]
		switch wreck(); r.IntN(9) {
		case 0, 1:
			s.TryWrite(p[:1+r.IntN(len(p))])
		case 2:
			s.Write(&tired{}, p[:1+r.IntN(len(p))])
		case 3, 4:
			s.TryRead(p[:1+r.IntN(len(p))])
		case 5:
			s.Read(&tired{}, p[:1+r.IntN(len(p))])
		case 6:
			s.Ready()
			s.Answered()
			s.Peer()
			s.Dialled()
		case 7:
			s.Refuse()
		case 8:
			if r.IntN(5) == 0 {
				what := []uint64{EndReading, EndWriting, EndAll}[r.IntN(3)]
				s.Stop(what)
				s.End(what)
			}
		}
	}
}

// useListener is of TestDamagedMemory.
func useListener(r *rand.Rand, a mem.Area, env Env, wreck func()) {
	wreck()
	l, err := AttachListener(a, env)
	if err != nil {
		return
	}
	m := mem.Heap(StreamConfig{Buffer: 64}.Size())
	StreamConfig{Buffer: 64}.Init(m, env.Self, 1)
	s, err := AttachStream(m, env, true)
	if err != nil {
		return
	}
	word := uint64(1)
	for range 30 {
		switch wreck(); r.IntN(8) {
		case 0:
			word, _ = l.Listen(func(Self) bool { return r.IntN(2) == 0 })
		case 1:
			word, _ = l.Listening()
		case 2, 3:
			l.Queue(&tired{}, word, Dialled{Entry: r.Uint32(), Gen: r.Uint64()})
		case 4, 5:
			l.Next(&tired{})
		case 6:
			l.AwaitAnswer(&tired{}, s, word)
			l.Free(func(Self) bool { return true })
			ListenerWord(a)
		case 7:
			l.Close(word)
		}
	}
}
