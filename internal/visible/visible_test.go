package visible

import (
	"encoding/json"
	"testing"
)

var texts = []struct{ in, text, json string }{
	{"Jörg 名 שלום 🙂 a\u200db", "Jörg 名 שלום 🙂 a\u200db", "\"Jörg 名 שלום 🙂 a\u200db\""},
	{"a\x1b[2Jb\nc\u0085d\x7f", "a?[2Jb?c?d?", `"a\u001b[2Jb\nc\u0085d\u007f"`},
	{"\u202eevil\u202c \u2066x\u2069 \u200e\u200f\u061c", "?evil? ?x? ???", `"\u202eevil\u202c \u2066x\u2069 \u200e\u200f\u061c"`},
	{"a\u2028b\u2029c", "a?b?c", `"a\u2028b\u2029c"`},
}

func TestText(t *testing.T) {
	for _, tt := range texts {
		if got := Text(tt.in); got != tt.text {
			t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.text)
		}
	}
	if got := Text("c\xff"); got != "c?" {
		t.Errorf("Text of no UTF-8 = %q", got)
	}
}

// Whoever decodes it gets what was encoded.
func TestJSON(t *testing.T) {
	for _, tt := range texts {
		b, err := json.Marshal(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if b = JSON(b); string(b) != tt.json {
			t.Errorf("JSON of %q = %s, want %s", tt.in, b, tt.json)
		}
		var back string
		if err := json.Unmarshal(b, &back); err != nil || back != tt.in {
			t.Errorf("%s is %q, %v; want %q", b, back, err, tt.in)
		}
	}
	if got := string(JSON([]byte("{\n  \"a\": 1\n}"))); got != "{\n  \"a\": 1\n}" {
		t.Errorf("%q", got)
	}
}
