// Package stormtest is what storms of kills have in common: tests in which
// processes use a region at random, are killed, stopped and made to close it,
// while others take their place, and whose ledgers balance at the end. It has
// the work over queues, with its ledger, and that over whatever else carries
// something. It is for tests only.
//
//	q, err := stormtest.Open(region)
//	tally := q.Count(t)
//	… processes run Putters and Takers, and are killed …
//	q.Stop()
//	… the Putters end …
//	q.Shutdown(t)
//	… the Takers end …
//	committed := q.Balance(t, tally, producers, false)
package stormtest
