//go:build unix && !linux

package filestore

import "os"

func mayChown() bool { return os.Geteuid() == 0 }
