//go:build !linux

package testproc

import "time"

func awaitGone(int) { time.Sleep(time.Second) }
