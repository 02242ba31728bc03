//go:build !linux

package pgtool

// peakWatch has nothing to correct here.
type peakWatch struct{}

func (*peakWatch) watch(int, <-chan struct{}) {}

func (*peakWatch) result(maxrss int64) int64 { return maxrss }
