package measure

import "slices"

// Median returns the middle of the values, the mean of two where their number
// is even. There must be one.
func Median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
