//go:build !linux

package sys

import "errors"

type scratch struct{}

func (v *Vigil) Sleep() error { return errors.ErrUnsupported }
