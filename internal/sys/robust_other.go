//go:build !linux

package sys

import "errors"

func SetRobustList(head *RobustHead) error { return errors.ErrUnsupported }
