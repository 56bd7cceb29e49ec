package bench_test

import (
	"os/exec"
	"testing"
)

// What bench/steps builds with other builds builds with this one.
func TestSteps(t *testing.T) {
	if out, err := exec.Command("go", "vet", "./testdata/steps").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
