package engine

import "example.com/tandem/internal/mem"

// A StreamView is a stream's words as they are in memory.
type StreamView struct {
	W, R [2]uint64 // by way: 0 the dialer's bytes
	End  [2]uint64 // 0 the dialer's
}

// ViewStream looks without being seen.
func ViewStream(a mem.Area) (v StreamView) {
	for way := range uint64(2) {
		v.W[way] = *a.W64(streamWays + way*streamWaySize)
		v.R[way] = *a.W64(streamWays + way*streamWaySize + streamR)
	}
	v.End = [2]uint64{*a.W64(streamDialer), *a.W64(streamAcceptor)}
	return v
}

const (
	StreamRC, StreamWC, StreamGone = streamRC, streamWC, streamGone
	StreamRefused                  = streamRefused
)

var RecoverStream, CheckStream = recoverStream, checkStream
