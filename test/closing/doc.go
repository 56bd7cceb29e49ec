// Package closing has the tests of what Region.Close does to operations under
// way, as other processes see it. A leaver opens the region, has goroutines do
// one thing in a loop, closes the region under them, and tells what each of
// their calls returned. The observer, which has the region open all the time,
// then finds in it exactly what these calls said: a lock is abandoned if and
// only if a Lock of the leaver's returned nil and no Unlock has since; a message
// is gone if and only if a Get returned it; and so on for every verb of every
// kind. What only the leaver saw would be no test, since it sees zeroes.
package closing
