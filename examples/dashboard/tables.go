package main

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

const (
	minute  = 60 // statistics that are kept, one a second
	longest = 50 // rows of a table
)

// tables is what is sent once a second. Rates, times and drops are of the last minute.
type tables struct {
	Sockets  []socketRow      `json:"sockets"` // the slowest, then the newest
	Rooms    []roomRow        `json:"rooms"`
	Events   []eventRow       `json:"events"`
	Closes   []closeRow       `json:"closes"` // since the start
	Drops    map[string]int64 `json:"drops"`
	Handlers []int64          `json:"handlers"` // how many took up to 1, 2, 4 … µs
}

type socketRow struct {
	ID      string  `json:"id"`
	Path    string  `json:"path"`
	Age     float64 `json:"age"` // seconds
	RTT     float64 `json:"rtt"`
	Waiting int     `json:"waiting"` // bytes
}

type roomRow struct {
	Name    string `json:"name"`
	Sockets int    `json:"sockets"`
}

type eventRow struct {
	Event string  `json:"event"`
	Route string  `json:"route"`
	Rate  float64 `json:"rate"` // a second
	P50   float64 `json:"p50"`  // seconds
	P99   float64 `json:"p99"`
}

type closeRow struct {
	By   string               `json:"by"`
	Code websocket.StatusCode `json:"code"`
	N    int64                `json:"n"`
}

// measure takes the statistics of the engine, which costs more than a frame may.
func (d *dashboard) measure() tables {
	now := d.app.WebSocketStats()
	if len(d.stats) > minute {
		d.stats = slices.Delete(d.stats, 0, 1)
	}
	d.stats = append(d.stats, now)
	before, took := d.stats[0], float64(max(1, len(d.stats)-1))
	t := tables{Sockets: d.sockets(), Rooms: d.rooms(), Events: []eventRow{}, Closes: closeRows(now), Drops: maps.Clone(now.Drops), Handlers: make([]int64, powers)}
	for reason, n := range before.Drops {
		t.Drops[reason] -= n
	}
	for route, r := range now.Routes {
		for event, all := range r.Events {
			recent := since(all, before.Routes[route].Events[event])
			recent.addTo(t.Handlers)
			t.Events = append(t.Events, eventRow{event, route, float64(recent.count()) / took, recent.quantile(0.5), recent.quantile(0.99)})
		}
	}
	slices.SortFunc(t.Events, func(a, b eventRow) int { return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Event, b.Event)) })
	return t
}

// sockets lists the slowest, for which most waits, and then the newest.
func (d *dashboard) sockets() []socketRow {
	rows := []socketRow{}
	for _, s := range d.app.WebSockets().Sockets() {
		rows = append(rows, socketRow{s.ID(), s.Path(), seconds(time.Since(s.ConnectedAt())), s.RTT().Seconds(), s.Buffered()})
	}
	slices.SortFunc(rows, func(a, b socketRow) int { return cmp.Or(cmp.Compare(b.Waiting, a.Waiting), cmp.Compare(a.Age, b.Age)) })
	return rows[:min(len(rows), longest)]
}

func (d *dashboard) rooms() []roomRow {
	rows, srv := []roomRow{}, d.app.WebSockets()
	for _, name := range srv.Rooms() {
		rows = append(rows, roomRow{name, len(srv.SocketsIn(name))})
	}
	slices.SortFunc(rows, func(a, b roomRow) int { return cmp.Or(cmp.Compare(b.Sockets, a.Sockets), cmp.Compare(a.Name, b.Name)) })
	return rows[:min(len(rows), longest)]
}

func closeRows(now websocket.Stats) []closeRow {
	rows := []closeRow{}
	for by, codes := range now.ClosedBy {
		for code, n := range codes {
			rows = append(rows, closeRow{by, code, n})
		}
	}
	slices.SortFunc(rows, func(a, b closeRow) int { return cmp.Or(cmp.Compare(a.By, b.By), cmp.Compare(a.Code, b.Code)) })
	return rows
}

// times are how often something took how long: up to LE, and longer than the one before.
type times []websocket.Bucket

// since is what was counted after before.
func since(now, before websocket.Times) (recent times) {
	had := map[float64]int64{}
	for _, b := range before.Buckets {
		had[b.LE] = b.Count
	}
	for _, b := range now.Buckets {
		if n := b.Count - had[b.LE]; n > 0 {
			recent = append(recent, websocket.Bucket{LE: b.LE, Count: n})
		}
	}
	return recent
}

func (t times) count() (n int64) {
	for _, b := range t {
		n += b.Count
	}
	return n
}

// quantile is the end of the bucket that it falls into, in seconds.
func (t times) quantile(q float64) float64 {
	rank := int64(math.Ceil(q * float64(t.count())))
	for _, b := range t {
		if rank -= b.Count; rank <= 0 {
			return b.LE
		}
	}
	return 0
}

// powers is how many powers of two of a microsecond there are up to half a minute.
const powers = 26

func (t times) addTo(byPower []int64) {
	for _, b := range t {
		i := int(math.Ceil(math.Log2(b.LE*1e6) - 1e-6)) // the buckets are rounded
		byPower[min(max(i, 0), powers-1)] += b.Count
	}
}
