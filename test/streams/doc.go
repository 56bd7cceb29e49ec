// Package streams tests ring.Listen and ring.Dial with what is served over them between
// processes: net/http and HTTP/2, net/rpc, and golang.org/x/net/nettest with an end in
// another process.
package streams
