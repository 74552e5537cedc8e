package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

const (
	every  = 100 * time.Millisecond // a frame
	kept   = 60 * 10                // frames, which whoever comes sees first
	second = 10                     // frames between two tables
	live   = "live"                 // the room of those who watch
)

// frame is what is sent ten times a second. Counts are since the start, so that frames may
// be left out. Those from Dropped on are taken once a second.
type frame struct {
	T          float64 `json:"t"` // seconds since the start
	Sockets    int64   `json:"sockets"`
	Received   int64   `json:"in"`
	Sent       int64   `json:"out"`
	CPU        float64 `json:"cpu"`   // seconds of the process
	Heap       uint64  `json:"heap"`  // bytes
	Goroutines uint64  `json:"go"`    // now
	Pause      float64 `json:"pause"` // seconds of the longest pause by the collector since the last frame
	Dropped    int64   `json:"dropped"`
	Waiting    int64   `json:"waiting"` // bytes, now
	P50        float64 `json:"p50"`     // seconds of a round trip in the last minute
	P99        float64 `json:"p99"`
}

// picture is what somebody sees who has just come.
type picture struct {
	Frames []frame `json:"frames"`
	Tables tables  `json:"tables"`
}

// dashboard measures the App, and tells those who watch.
type dashboard struct {
	app     *nextrush.App
	start   time.Time
	process *process          // used by tick alone, as the next two
	stats   []websocket.Stats // of the last minute, one a second; at first those of the start
	ticks   int

	mu  sync.Mutex // guards now
	now picture
}

// run measures until the context ends.
func (d *dashboard) run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.tick()
		case <-ctx.Done():
			return
		}
	}
}

// tick sends a frame, and each second the tables. Who is slow gets no frame that is old,
// and of the tables the newest.
func (d *dashboard) tick() {
	if d.ticks%second == 0 {
		t := d.measure()
		d.change(func(p *picture) { p.Tables = t })
		d.app.WSTo(live).Coalesce("tables").Emit("tables", t)
	}
	d.ticks++
	f := d.sample()
	d.change(func(p *picture) {
		if len(p.Frames) == kept {
			p.Frames = slices.Delete(p.Frames, 0, 1)
		}
		p.Frames = append(p.Frames, f)
	})
	d.app.WSTo(live).Volatile().Emit("frame", f)
}

func (d *dashboard) sample() frame {
	counts, stats := d.app.WebSockets().Namespace("").Stats(), d.stats[len(d.stats)-1]
	rtt := since(stats.RTT, d.stats[0].RTT)
	f := frame{
		T: seconds(time.Since(d.start)), Sockets: counts.Connections, Received: counts.MessagesReceived, Sent: counts.MessagesSent,
		Dropped: stats.Dropped, Waiting: stats.QueuedBytes, P50: rtt.quantile(0.5), P99: rtt.quantile(0.99),
	}
	d.process.sample(&f)
	return f
}

// seconds are rounded, for frames are to be small.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

func (d *dashboard) change(f func(*picture)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.now)
}

// watch shows somebody the last minute, and has them in the room of those who are sent
// what comes. A frame may come before the picture, and be in it.
func (d *dashboard) watch(s *websocket.Socket, _ *nextrush.Context) error {
	if err := s.Join(live); err != nil {
		return err
	}
	var p picture
	d.change(func(now *picture) { p = picture{slices.Clone(now.Frames), now.Tables} })
	return s.Emit("picture", p)
}
