//go:build !linux && !darwin && !freebsd

package dumpfmt

import "errors"

// FreeSpace gives the bytes that this user may still write where a folder lies.
// Where that cannot be told the error matches errors.ErrUnsupported.
func FreeSpace(string) (int64, error) { return 0, errors.ErrUnsupported }
