//go:build !unix

package main

// usageOfSelf knows nothing on this system.
func usageOfSelf() self { return self{} }
