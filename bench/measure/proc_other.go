//go:build !linux

package measure

// count knows nothing: the package's comment says so.
func count(int) (counters, error) { return counters{}, nil }

func clientMemory(int) int64 { return 0 }

func diskUsed(string) int64 { return 0 }

func flush(string) error { return nil }
