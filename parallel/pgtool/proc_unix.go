//go:build unix

package pgtool

import (
	"os"
	"os/exec"
	"syscall"
)

// setProcAttr puts the child into a group of its own, and makes it run as
// another user and end with this process, as far as asked for and possible.
func setProcAttr(cmd *exec.Cmd, user *Credential, death syscall.Signal) error {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if user != nil {
		attr.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID, Groups: user.Groups}
	}
	setDeathSignal(attr, death)
	cmd.SysProcAttr = attr
	return nil
}

func signalProcess(p *os.Process, sig syscall.Signal) error { return p.Signal(sig) }

// signalGroup signals every process of a group; 0 only asks if there is any.
// It is also called when the leader is reaped: its number stays taken as long
// as the group has members, and numbers are not given out again at once.
func signalGroup(leader int, sig syscall.Signal) error { return syscall.Kill(-leader, sig) }

func killGroup(leader *os.Process) {
	// It may be gone by now, which is what is wanted.
	_ = signalGroup(leader.Pid, syscall.SIGKILL)
}

func signalName(state *os.ProcessState) string {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return ws.Signal().String()
	}
	return ""
}

func usageOf(state *os.ProcessState) Usage {
	if state == nil {
		return Usage{}
	}
	u := Usage{User: state.UserTime(), System: state.SystemTime()}
	if ru, ok := state.SysUsage().(*syscall.Rusage); ok {
		u.PeakRSS = int64(ru.Maxrss) * maxrssUnit
	}
	return u
}
