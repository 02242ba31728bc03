package measure

import (
	"errors"
	"fmt"
	"time"
)

// Usage is what a piece of work took. Times are in seconds, sizes in bytes.
type Usage struct {
	Wall          float64 `json:"wall_seconds"`
	ClientCPU     float64 `json:"client_cpu_seconds"`
	ServerCPU     float64 `json:"server_cpu_seconds"`
	Memory        int64   `json:"peak_memory"`
	ClientWritten int64   `json:"client_written"`
	ServerWritten int64   `json:"server_written"`
	TempDisk      int64   `json:"temporary_disk"`
	Sync          float64 `json:"sync_seconds"`
}

// CPU returns the processor time of clients and server together, in seconds.
func (u Usage) CPU() float64 { return u.ClientCPU + u.ServerCPU }

// sampleDelay is how often memory and disk are looked at.
const sampleDelay = 50 * time.Millisecond

// Meter measures one piece of work. It is used by one goroutine.
type Meter struct {
	server int    // number of the postmaster; 0 for none
	dir    string // a folder of the file system that is written to; "" for none

	began  time.Time
	before counters
	stop   chan struct{}
	peaks  chan peaks
}

// counters are what only grows.
type counters struct {
	client, server   float64
	written, byServe int64
}

// peaks are the most that was seen at once.
type peaks struct{ memory, disk int64 }

// Start begins to measure the work of this process's children and of the server
// with that process number (0 for none), which write to the file system of dir.
// Where dir is "" nothing is synced, and disks are not looked at.
// The caller calls Stop.
func Start(server int, dir string) (*Meter, error) {
	m := &Meter{server: server, dir: dir, stop: make(chan struct{}), peaks: make(chan peaks, 1)}
	if err := flush(dir); err != nil {
		return nil, fmt.Errorf("sync: %w", err)
	}
	var err error
	if m.before, err = count(server); err != nil {
		return nil, fmt.Errorf("measure: %w", err)
	}
	m.began = time.Now()
	go m.watch()
	return m, nil
}

// Stop ends the measurement and waits until what was written is on disk.
func (m *Meter) Stop() (Usage, error) {
	wall := time.Since(m.began)
	close(m.stop)
	most := <-m.peaks
	after, err := count(m.server)
	end := diskUsed(m.dir)
	began := time.Now()
	if err := errors.Join(err, flush(m.dir)); err != nil {
		return Usage{}, fmt.Errorf("measure: %w", err)
	}
	return Usage{
		Wall:      wall.Seconds(),
		ClientCPU: after.client - m.before.client, ServerCPU: after.server - m.before.server,
		Memory:        most.memory,
		ClientWritten: after.written - m.before.written, ServerWritten: after.byServe - m.before.byServe,
		TempDisk: max(0, most.disk-end),
		Sync:     time.Since(began).Seconds(),
	}, nil
}

// watch keeps the peaks until Stop.
func (m *Meter) watch() {
	var most peaks
	look := time.NewTicker(sampleDelay)
	defer look.Stop()
	for {
		most.memory = max(most.memory, clientMemory(m.server))
		most.disk = max(most.disk, diskUsed(m.dir))
		select {
		case <-m.stop:
			m.peaks <- most
			return
		case <-look.C:
		}
	}
}
