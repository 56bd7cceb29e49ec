package procname

import (
	"os"
	"testing"
)

func TestName(t *testing.T) {
	defer func(args []string) { os.Args = args; name.Store(nil) }(os.Args)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"/usr/bin/crawler", "-v"}, "crawler"},
		{[]string{"crawler"}, "crawler"},
		{[]string{""}, "?"},
		{nil, "?"},
	} {
		if os.Args = tt.args; Get() != tt.want {
			t.Errorf("Get with os.Args %q = %q, want %q", tt.args, Get(), tt.want)
		}
	}
	Set("worker 3")
	if Get() != "worker 3" {
		t.Errorf("Get after Set = %q", Get())
	}
}
