// Package hostile_test uses regions as nobody should: with throngs of
// goroutines, closed under everything, at the ends of every range, with
// processes that stop, die and are renamed under each other.
package hostile_test

import (
	"os"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
)

func TestMain(m *testing.M) {
	testproc.RunRole()
	proc.Main()
	os.Exit(m.Run())
}
