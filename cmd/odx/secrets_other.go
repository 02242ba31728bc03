//go:build !linux

package main

// forbidCoreDumps is for Linux; elsewhere Go's programs write no core file unless
// GOTRACEBACK asks for it.
func forbidCoreDumps() {}
