package asyncapi_test

import (
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/asyncapi"
	"github.com/nextrush/nextrush/websocket"
)

func TestADocumentThatWasAskedForTooEarlyIsMadeLater(t *testing.T) {
	app := nextrush.New().EnableWebSocket(websocket.Options{})
	p := asyncapi.New(asyncapi.Options{}, asyncapi.Channel{Path: "/ws"})
	if _, err := p.JSON(); err == nil {
		t.Error("no error before it is registered")
	}
	app.Register(p)
	if _, err := p.JSON(); err == nil {
		t.Error("no error without the route")
	}
	app.WS("/ws", func(*websocket.Socket, *nextrush.Context) error { return nil })
	if err := app.Start(t.Context()); err != nil {
		t.Error(err)
	}
}
