//go:build !linux && !darwin && !freebsd

package dumpfmt

import "errors"

// FreeRoom tells what this user may still write where a folder lies. Where that
// cannot be told the error matches errors.ErrUnsupported.
func FreeRoom(string) (Room, error) { return Room{}, errors.ErrUnsupported }
