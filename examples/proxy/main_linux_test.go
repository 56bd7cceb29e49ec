package main

import (
	"os/exec"
	"regexp"
	"testing"
)

// Whatever a worker is killed in, no request is lost.
func TestProxy(t *testing.T) {
	out, err := exec.Command("go", "run", ".", "-requests", "1000", "-kills", "10").CombinedOutput()
	if err != nil || !regexp.MustCompile(`^1000 requests, 0 lost; 10 workers killed, \d+ times the next was asked\n$`).Match(out) {
		t.Fatalf("%v\n%s", err, out)
	}
}
