package engine

import "example.com/tandem/internal/mem"

// ViewListener is the word, unseen.
func ViewListener(a mem.Area) uint64 { return *a.W64(listenerWord) }

var RecoverListener, CheckListener = recoverListener, checkListener

// ListenerWho is whose a word is.
func ListenerWho(word uint64) (Self, bool) { return streamHolder(word &^ listenerGens) }
