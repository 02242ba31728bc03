package odoozip

import "bytes"

// magics begin files whose content is compressed already.
var magics = [][]byte{
	[]byte("\xff\xd8\xff"),      // JPEG
	[]byte("\x89PNG\r\n\x1a\n"), // PNG
	[]byte("GIF8"),
	[]byte("%PDF-"),
	[]byte("PK\x03\x04"), // zip, and with it office files
	[]byte("PK\x05\x06"),
	[]byte("\x1f\x8b\x08"), // gzip
	[]byte("BZh"),          // bzip2
	[]byte("\xfd7zXZ\x00"),
	[]byte("\x28\xb5\x2f\xfd"), // zstd
	[]byte("\x04\x22\x4d\x18"), // lz4
	[]byte("7z\xbc\xaf\x27\x1c"),
	[]byte("Rar!\x1a\x07"),
	[]byte("\x1a\x45\xdf\xa3"), // Matroska, WebM
	[]byte("OggS"),
	[]byte("fLaC"),
	[]byte("ID3"), // MP3 with a tag
	[]byte("wOFF"),
	[]byte("wOF2"),
}

// isPacked tells from the beginning of a file whether deflating it would be in
// vain.
func isPacked(text []byte) bool {
	for _, magic := range magics {
		if bytes.HasPrefix(text, magic) {
			return true
		}
	}
	if len(text) < 12 {
		return false
	}
	// MP4, QuickTime, HEIC and AVIF; WebP.
	return string(text[4:8]) == "ftyp" || string(text[:4]) == "RIFF" && string(text[8:12]) == "WEBP"
}

// pays tells whether deflating has saved enough to be worth inflating.
func pays(size, length int) bool { return size < length-length/16 }
