//go:build !linux

package sqlite

import "errors"

const fillDisk = "MODICUM_TEST_FULL_DISK"

func withdrawOnFullDisk(string) error { return errors.ErrUnsupported }
