package pgtool

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

func setProcAttr(cmd *exec.Cmd, user *Credential, _ syscall.Signal) error {
	if user != nil {
		return errors.New("running as another user is not possible on Windows")
	}
	// A group of its own does not get the console's Ctrl-C.
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
	return nil
}

func signalProcess(p *os.Process, _ syscall.Signal) error { return p.Kill() }

func signalGroup(int, syscall.Signal) error { return errors.ErrUnsupported }

func killGroup(leader *os.Process) {
	// It may be gone by now, which is what is wanted.
	_ = leader.Kill()
}

func signalName(*os.ProcessState) string { return "" }

func usageOf(state *os.ProcessState) Usage {
	if state == nil {
		return Usage{}
	}
	return Usage{User: state.UserTime(), System: state.SystemTime()}
}
