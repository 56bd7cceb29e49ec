package main

import (
	"os/exec"
	"testing"
)

// Whenever the viewer dies, no frame is missed.
func TestFrames(t *testing.T) {
	for range 3 {
		out, err := exec.Command("go", "run", ".").CombinedOutput()
		if err != nil || string(out) != "100 frames, 0 missed\n" {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}
