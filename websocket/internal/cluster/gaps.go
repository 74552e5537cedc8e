package cluster

import (
	"fmt"

	"github.com/nextrush/nextrush/websocket/broker"
)

// watching is the watch by which a stream comes here. What is for all nodes, or for this
// one, always does.
func (n *Node) watching(stream uint64) watch {
	if stream == n.everyone || stream == n.own {
		return watch{number: 1}
	}
	return n.watcher.watching(stream)
}

// lost counts what did not arrive.
func (n *Node) lost(from broker.NodeID, key string, lost int64) {
	n.count.Lost.Add(lost)
	namespace, room, ok := splitKey(key)
	if ok {
		n.local.Missed([]RoomName{{namespace, room}})
	}
	if n.onGap == nil {
		n.failed("lose", fmt.Errorf("%d messages of node %v to room %q have not arrived", lost, from, room))
		return
	}
	select {
	case n.gaps <- Gap{from, namespace, room, lost}:
	default:
	}
}

// tellGaps calls OnGap, which may block: gaps that there is no room for meanwhile are counted
// alone.
func (n *Node) tellGaps() {
	for {
		select {
		case g := <-n.gaps:
			n.guard(func() { n.onGap(g) })
		case <-n.ctx.Done():
			return
		}
	}
}

// guard calls a function of the program.
func (n *Node) guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			n.logger.Error("websocket: panic in OnGap", "panic", v)
		}
	}()
	f()
}
