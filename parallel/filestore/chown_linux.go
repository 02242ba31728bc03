package filestore

import (
	"os"

	"golang.org/x/sys/unix"
)

// mayChown tells whether this process has CAP_CHOWN. In a container root may
// lack it.
func mayChown() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return os.Geteuid() == 0
	}
	return data[0].Effective&(1<<unix.CAP_CHOWN) != 0
}
