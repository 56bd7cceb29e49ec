package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"

	"example.com/tandem/internal/codec"
)

// encode returns *arg as CBOR. A type that would lose something silently is
// refused, naming the field.
func encode(t reflect.Type, arg any) ([]byte, error) {
	if err := travels(t); err != nil {
		return nil, fmt.Errorf("argument does not encode: %w: %w", err, fs.ErrInvalid)
	}
	b, err := codec.EncoderOf(reflect.PointerTo(t), 0).Append(nil, arg)
	var unfit *codec.Unfit
	if errors.As(err, &unfit) {
		return nil, fmt.Errorf("argument of type %s does not encode: %w: %w", t, err, fs.ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("argument of type %s does not encode: %w", t, err)
	}
	return b, nil
}

// travels reports whether values of t arrive in the child as they left. What
// sits behind an interface is known only when it is encoded.
func travels(t reflect.Type) error {
	_, err := codec.Describe(t)
	var no *codec.Refusal
	if !errors.As(err, &no) {
		return err
	}
	path := t.String() + no.Path
	if no.Path != "" && no.Path[0] != '[' {
		path = t.String() + "." + no.Path
	}
	switch {
	case no.Why != "":
		return fmt.Errorf("%s is a %s, %s", path, no.Found, no.Why)
	case no.Found == nil:
		return fmt.Errorf("%s is unexported and would be lost", path)
	case no.Found.Kind() == reflect.Interface:
		return fmt.Errorf("%s is of interface type %s: the child could not tell what is in it", path, no.Found)
	}
	return fmt.Errorf("%s is a %s", path, no.Found.Kind())
}
