package redis

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/redistest"
	"github.com/nextrush/nextrush/websocket/broker"
)

// A node that lacks something in the middle takes nothing away from what another has in
// full, whoever is asked first. If nobody has it, no offset comes twice.
func TestWhatANodeLacksOthersTell(t *testing.T) {
	list := make([]broker.Delivery, 8)
	for i := range list {
		list[i] = broker.Delivery{
			Envelope: broker.Envelope{Room: "room", From: broker.NodeID{1}, Seq: uint64(i + 1), Keep: broker.Retention{Messages: 100, Bytes: 1 << 20, Age: time.Hour}, Body: fmt.Append(nil, i+1)},
			Position: broker.Position{Epoch: "1.epoch", Offset: int64(i + 1)},
		}
	}
	tailTo := func(n int) tail { return tail{"room", list[n-1].Position, list[:n]} }
	whole, part := []tail{tailTo(8)}, []tail{tailTo(6), {"room", list[7].Position, nil}}
	for name, tt := range map[string]struct {
		nodes [][]tail
		gone  bool
	}{
		"the whole first": {[][]tail{whole, part}, false},
		"the whole last":  {[][]tail{part, whole}, false},
		"parts alone":     {[][]tail{part, part}, true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			b, err := Open(redistest.Start(t).URL())
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close(ctx)
			g := &gate{b: b, l: newLink(b, 0)}
			b.in, b.links, b.gates = &busy{}, []*link{g.l}, []*gate{g}
			info, err := b.client.Info(ctx, "server").Result()
			if err != nil {
				t.Fatal(err)
			}
			pending := field(info, "run_id") + " token"
			if err := b.client.Set(ctx, g.pendingKey(), pending, 0).Err(); err != nil {
				t.Fatal(err)
			}
			for _, tails := range tt.nodes {
				x := testimony{g: g, server: b.client, pending: pending, token: "token"}
				if err := x.load(ctx); err != nil {
					t.Fatal(err)
				}
				x.tails = tails
				if err := x.tell(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := g.decide(ctx, b.client, pending, generation{2, 1}); err != nil {
				t.Fatal(err)
			}
			page, err := b.Since(ctx, "room", list[5].Position, 100)
			if page.Top != list[7].Position || errors.Is(err, broker.ErrGone) != tt.gone || err == nil && len(page.Deliveries) != 2 {
				t.Errorf("%+v, %v", page, err)
			}
		})
	}
}
