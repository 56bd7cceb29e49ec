package sync

import (
	"context"
	"errors"
)

// A Lock is a *Mutex, or whatever else is locked and unlocked like one.
type Lock interface {
	Lock(ctx context.Context) error
	Unlock() error
}

// With calls f with l held, and unlocks l when f returns or panics. It blocks
// as l.Lock does, whose error it returns without calling f; else it returns
// f's, joined with Unlock's if there is one.
func With(ctx context.Context, l Lock, f func() error) (err error) {
	if err := l.Lock(ctx); err != nil {
		return err
	}
	defer func() {
		if e := l.Unlock(); err == nil {
			err = e
		} else if e != nil {
			err = errors.Join(err, e)
		}
	}()
	return f()
}
