package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The program is the README's, to the letter, and does what it says there.
func TestWorkqueue(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(source), "package main\n")
	if !strings.Contains(string(readme), program) {
		t.Error("the README's first program is not examples/workqueue/main.go")
	}
	out, err := exec.Command("go", "run", ".", "a", "b", "c").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, url := range []string{"a", "b", "c"} {
		if strings.Count(string(out), "fetches "+url+"\n") != 1 {
			t.Errorf("%s is not fetched once:\n%s", url, out)
		}
	}
}
