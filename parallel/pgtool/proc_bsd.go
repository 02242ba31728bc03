//go:build unix && !linux && !darwin

package pgtool

import "syscall"

// maxrssUnit is the unit of ru_maxrss in bytes.
const maxrssUnit = 1024

func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
