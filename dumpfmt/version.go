package dumpfmt

import (
	"strconv"
	"strings"
)

// LeadingNumber gives the number that a text begins with, such as the major version in
// "15.18 (Debian 15.18-0)"; ok is false if there is none, or none that an int holds.
func LeadingNumber(text string) (n int, ok bool) {
	digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	n, err := strconv.Atoi(digits)
	return n, err == nil
}
