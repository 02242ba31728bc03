package dump

import (
	"fmt"
	"strconv"
	"strings"
)

// DefaultCompress is gzip at its fastest level: the default level costs twice
// the time for a few per cent of size.
const DefaultCompress = "gzip:1"

// compressArg translates a compression as pg_dump 16 and newer take it
// (METHOD[:DETAIL]) to what the given major version takes. Before 16 there was
// gzip only, and its level was all there was to say.
func compressArg(spec string, major int) (string, error) {
	method, detail, _ := strings.Cut(spec, ":")
	if level, err := strconv.Atoi(method); err == nil && detail == "" {
		method, detail = "gzip", strconv.Itoa(level)
		if level == 0 {
			method, detail = "none", ""
		}
	}
	switch method {
	case "none", "gzip", "lz4", "zstd":
	default:
		return "", fmt.Errorf("--compress %q: the methods are none, gzip, lz4 and zstd", spec)
	}
	if method == "none" && detail != "" {
		return "", fmt.Errorf("--compress %q: none takes no level", spec)
	}
	if major >= 16 {
		if detail == "" {
			return method, nil
		}
		return method + ":" + detail, nil
	}
	switch {
	case method == "none":
		return "0", nil
	case method != "gzip":
		return "", fmt.Errorf("--compress %s needs pg_dump 16 or newer, and this is pg_dump %d", method, major)
	case detail == "":
		return "6", nil
	}
	level, err := strconv.Atoi(strings.TrimPrefix(detail, "level="))
	if err != nil || level < 1 || level > 9 {
		return "", fmt.Errorf("--compress %q: pg_dump %d takes gzip levels 1 to 9", spec, major)
	}
	return strconv.Itoa(level), nil
}
