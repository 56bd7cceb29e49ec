package region

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/plain"
	"example.com/tandem/internal/visible"
)

// An object's fields are kept behind its words as text, for readers in any
// language: a line "name=value" each, with \ and newlines in the value written
// as \\ and \n.

var fieldEscape = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
var fieldUnescape = strings.NewReplacer(`\\`, `\`, `\n`, "\n")

// FieldsText is the text of fields.
func FieldsText(fields []object.Field) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.Name + "=" + fieldEscape.Replace(f.Value) + "\n")
	}
	return b.String()
}

// MaxFields bounds what is read of a region that says anything.
const MaxFields = 1 << 20

// Fields reads the fields of a valid entry, whose memory stays.
func (w *Memory) Fields(e *Entry) ([]object.Field, error) {
	bad := func(why string) error {
		return fmt.Errorf("entry %d: fields of %d bytes: %s: %w", e.I, e.Fields, why, ErrCorrupt)
	}
	if e.Fields > MaxFields {
		return nil, bad("too long")
	}
	text := string(w.Bytes(e.Off+e.Words, uint64(e.Fields)))
	if !utf8.ValidString(text) || text != "" && !strings.HasSuffix(text, "\n") {
		return nil, bad("no text")
	}
	var fields []object.Field
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || name == "" {
			return nil, bad("a line without a name")
		}
		fields = append(fields, object.Field{Name: name, Value: fieldUnescape.Replace(value)})
	}
	return fields, nil
}

func fieldValue(fields []object.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Compare says in what an object that is there differs from what s asks for:
// ErrMismatch with every field that differs, and both values.
func Compare(s *object.Spec, kind engine.Kind, have []object.Field) error {
	if s.Kind != kind {
		return fmt.Errorf("%w: kind: %v here, %v in the region", ErrMismatch, s.Kind, kind)
	}
	var diffs []string
	for _, want := range s.Fields {
		there := fieldValue(have, want.Name)
		if want.Value == "" || want.Value == there {
			continue
		}
		if want.Name == "type" {
			diffs = append(diffs, plain.Diff(want.Value, there))
			continue
		}
		if there == "" {
			there = "none"
		}
		diffs = append(diffs, fmt.Sprintf("%s: %s here, %s in the region", want.Name, want.Value, there))
	}
	if len(diffs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrMismatch, visible.Text(strings.Join(diffs, "; ")))
}
