package pgtool

import "syscall"

// maxrssUnit is the unit of ru_maxrss in bytes.
const maxrssUnit = 1024

// setDeathSignal has the kernel signal the child when the thread that starts
// it ends. The change of user would clear that; package syscall sets it after.
func setDeathSignal(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
