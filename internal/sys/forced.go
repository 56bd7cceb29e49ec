package sys

import (
	"os"
	"slices"
	"strings"
)

var forced = strings.Split(os.Getenv("TANDEM_FORCE"), ",")

// Forced reports whether the environment variable TANDEM_FORCE, a list
// separated by commas, names a fallback that is to be used although the
// system offers the real thing: "nowaitv" and others. It is for tests, and
// for a system that offers something broken.
func Forced(name string) bool { return slices.Contains(forced, name) }
