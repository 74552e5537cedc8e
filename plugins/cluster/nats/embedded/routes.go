package embedded

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// routes are the connections to other nodes.
type routes struct {
	mu    sync.Mutex          // guards the fields below
	at    map[string][]string // the addresses of each of Options.Peers
	peers map[string]bool     // the servers that there is a connection with
}

func (r *routes) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.peers)
}

// urls lists the routes that the server is to have.
func (r *routes) urls(o *Options) (list []*url.URL) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]bool)
	for peer, addresses := range r.at {
		if o.keeps() {
			addresses = []string{peer} // which the server looks up itself
		}
		for _, a := range addresses {
			all[a] = true
		}
	}
	for _, a := range slices.Sorted(maps.Keys(all)) {
		u := &url.URL{Scheme: "nats", Host: a}
		if o.Secret != "" {
			u.User = url.UserPassword(routeUser, o.password())
		}
		list = append(list, u)
	}
	return list
}

// lookUp looks for the addresses of all peers. What cannot be looked up stays as it was, and
// an address that is gone stays as long as there is a connection.
func (b *Broker) lookUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	open := b.connected()
	for _, peer := range b.opts.Peers {
		host, port, _ := net.SplitHostPort(peer)
		found, err := b.resolve(ctx, host)
		if err != nil {
			b.log.seldom("look up %s: %v", peer, err)
		}
		var fresh []string
		for _, ip := range found {
			fresh = append(fresh, net.JoinHostPort(ip, port))
		}
		b.routes.found(peer, fresh, open)
	}
}

func (r *routes) found(peer string, fresh []string, open map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.at[peer] {
		if (len(fresh) == 0 || open[a]) && !slices.Contains(fresh, a) {
			fresh = append(fresh, a)
		}
	}
	r.at[peer] = fresh
}

// connected lists the addresses that there is a connection with.
func (b *Broker) connected() map[string]bool {
	open := make(map[string]bool)
	for _, r := range b.routez() {
		open[net.JoinHostPort(r.IP, strconv.Itoa(r.Port))] = true
	}
	return open
}

func (b *Broker) routez() []*server.RouteInfo {
	if b.server == nil {
		return nil
	}
	z, err := b.server.Routez(nil)
	if err != nil {
		return nil
	}
	return z.Routes
}

// keepRoutes looks up the peers, and tells of nodes that are gone.
func (b *Broker) keepRoutes() {
	t := time.NewTicker(beat)
	defer t.Stop()
	looked := time.Now()
	for {
		select {
		case <-t.C:
		case <-b.ctx.Done():
			return
		}
		b.look()
		if time.Since(looked) >= lookEvery && len(b.opts.Peers) > 0 && !b.opts.keeps() {
			looked = time.Now()
			b.lookUp(b.ctx)
			b.reload()
		}
	}
}

// reload has the server have the routes that there are to be.
func (b *Broker) reload() {
	urls := b.routes.urls(&b.opts)
	if slices.EqualFunc(urls, b.reloaded.Routes, func(a, b *url.URL) bool { return a.Host == b.Host }) {
		return
	}
	opts := b.reloaded.Clone()
	opts.Routes = urls
	if err := b.server.ReloadOptions(opts); err != nil {
		b.log.seldom("change routes: %v", err)
		return
	}
	b.reloaded = opts
}

// look notes which nodes there are. One that is new counts when the others know it.
func (b *Broker) look() {
	now := make(map[string]bool)
	for _, r := range b.routez() {
		now[r.RemoteID] = true
	}
	gone, come := b.routes.compare(now)
	if gone > 0 {
		b.in.Lost(nil, fmt.Errorf("embedded: the connection with %d nodes has ended", gone))
	}
	if engine := b.engine.Load(); come && engine != nil {
		engine.Meet()
	}
	b.routes.replace(now)
}

func (r *routes) compare(now map[string]bool) (gone int, come bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.peers {
		if !now[id] {
			gone++
		}
	}
	return gone, len(now) > len(r.peers)-gone
}

func (r *routes) replace(now map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peers = now
}

// awaitPeers waits for the nodes that are expected, or for one, but not for long.
func (b *Broker) awaitPeers(ctx context.Context) {
	if len(b.opts.Peers) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, meshPatience)
	defer cancel()
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for b.Nodes() < max(b.opts.Expected, 2) {
		select {
		case <-t.C:
			b.look()
		case <-ctx.Done():
			return
		}
	}
}
