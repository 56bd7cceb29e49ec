package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A mutation is a small change of the code that breaks a promise, and the test
// that is to notice.
type mutation struct {
	file    string   // from the module's root on, with slashes
	from    string   // what is changed: it occurs in the file once
	to      string   // what it becomes; it compiles
	promise string   // what is broken thereby
	pkg     string   // the test's package, as ./internal/engine
	run     string   // the test, as go test's -run takes it
	tags    string   // the build tags of the test, or none
	args    []string // more for go test, as -short
	env     []string // more for the environment, as TANDEM_FORCE=nowaitv
}

// apply is the file's text with the mutation made.
func (m *mutation) apply(root string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		return nil, err
	}
	switch n := strings.Count(string(b), m.from); {
	case m.from == "" || m.from == m.to:
		return nil, fmt.Errorf("it changes nothing")
	case n != 1:
		return nil, fmt.Errorf("%q is there %d times", m.from, n)
	}
	return []byte(strings.Replace(string(b), m.from, m.to, 1)), nil
}

// overlay writes the changed file, and what go's -overlay needs to take it for
// the one in the tree, into dir. It returns the path of the latter.
func (m *mutation) overlay(root, dir string) (string, error) {
	b, err := m.apply(root)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, filepath.Base(m.file))
	list := filepath.Join(dir, "overlay.json")
	j, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(root, filepath.FromSlash(m.file)): changed},
	})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(changed, b, 0o666); err != nil {
		return "", err
	}
	return list, os.WriteFile(list, j, 0o666)
}
