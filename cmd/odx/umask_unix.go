//go:build unix

package main

import "syscall"

// keepPrivate makes everything that odx and its children create from now on
// readable by their owner only: a dump holds secrets.
func keepPrivate() { syscall.Umask(0o077) }
