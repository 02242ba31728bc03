package results

import (
	"os"
	"runtime"
	"strings"
)

// Machine is what figures depend on.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory"` // bytes; 0 if unknown
	System string `json:"system"`
	Disk   string `json:"file_system"` // of the folder that is written to
}

// ThisMachine describes this machine, and the file system of a folder.
func ThisMachine(dir string) Machine {
	m := Machine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH}
	m.CPU = procLine("/proc/cpuinfo", "model name")
	if release := readTrimmed("/proc/sys/kernel/osrelease"); release != "" {
		m.System = "Linux " + release + " " + runtime.GOARCH
	}
	m.Memory = kibibytes(procLine("/proc/meminfo", "MemTotal"))
	m.Disk = fileSystem(dir)
	return m
}

// procLine returns the value of a line "name : value" of a file of /proc.
func procLine(path, name string) string {
	for line := range strings.Lines(readTrimmed(path)) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func readTrimmed(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func kibibytes(text string) int64 {
	var n int64
	for _, c := range strings.TrimSuffix(text, " kB") {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n * 1024
}

// fileSystem returns the type of the file system that a folder is on, by the
// longest mount point that the path begins with.
func fileSystem(dir string) string {
	best, kind := "", ""
	for line := range strings.Lines(readTrimmed("/proc/self/mounts")) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		point := strings.TrimSuffix(fields[1], "/")
		if strings.HasPrefix(dir+"/", point+"/") && len(point) >= len(best) {
			best, kind = point, fields[2]
		}
	}
	return kind
}
