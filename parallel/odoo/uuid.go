package odoo

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// gregorian is the time that version 1 UUIDs count from, 1582-10-15, as
// seconds of the Unix epoch.
const gregorian = -12219292800

// uuid1 makes a version 1 UUID (RFC 9562, 5.1) of the time. Its node is random,
// with the multicast bit set as section 6.10 asks: no machine's address gets
// into the database.
func uuid1(now time.Time) string {
	var u [16]byte
	rand.Read(u[8:])
	ticks := uint64(now.Unix()-gregorian)*1e7 + uint64(now.Nanosecond())/100
	binary.BigEndian.PutUint32(u[0:], uint32(ticks))
	binary.BigEndian.PutUint16(u[4:], uint16(ticks>>32))
	binary.BigEndian.PutUint16(u[6:], uint16(ticks>>48)&0x0fff|0x1000)
	u[10] |= 1
	return formatUUID(u)
}

// uuid4 makes a version 4 UUID (RFC 9562, 5.4), which is random.
func uuid4() string {
	var u [16]byte
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	return formatUUID(u)
}

// formatUUID sets the variant and writes the UUID out.
func formatUUID(u [16]byte) string {
	u[8] = u[8]&0x3f | 0x80
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
