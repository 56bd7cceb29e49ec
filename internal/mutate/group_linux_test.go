package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a test leaves behind ends with its trial.
func TestTrialLeavesNothing(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": tiny["go.mod"], "a.go": tiny["a.go"],
		"a_test.go": `package tiny

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
)

func TestLeaves(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("LEFT"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o666); err != nil {
		t.Fatal(err)
	}
	if sum(4) != 6 {
		t.Error(sum(4))
	}
}
`} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(root, "left")
	m := mutation{file: "a.go", from: "i++", to: "i += 2", pkg: ".", run: "TestLeaves$", env: []string{"LEFT=" + left}}
	trial := &trial{root: root, limit: time.Minute}
	if v := trial.try(t.Context(), m); v.what != killed {
		t.Fatalf("%s: %s", v.what, v.text)
	}
	pid, err := os.ReadFile(left)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + string(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("process %s is left: %s", pid, stat)
		}
	}
}
