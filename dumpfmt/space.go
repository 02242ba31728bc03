package dumpfmt

// Room is what is free on a disk.
type Room struct {
	Bytes int64
	Files int64 // that can still be made; -1 if nothing but the bytes bounds them
}

// FreeSpace is FreeRoom, for the bytes alone.
func FreeSpace(dir string) (int64, error) {
	room, err := FreeRoom(dir)
	return room.Bytes, err
}
