package sys

import (
	"os"
	"testing"
)

func TestName(t *testing.T) {
	defer func(args []string) { os.Args = args; processName.Store(nil) }(os.Args)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"/usr/bin/crawler", "-v"}, "crawler"},
		{[]string{"crawler"}, "crawler"},
		{[]string{""}, "?"},
		{nil, "?"},
	} {
		if os.Args = tt.args; Name() != tt.want {
			t.Errorf("Name with os.Args %q = %q, want %q", tt.args, Name(), tt.want)
		}
	}
	SetName("worker 3")
	if Name() != "worker 3" {
		t.Errorf("Name after SetName = %q", Name())
	}
}
