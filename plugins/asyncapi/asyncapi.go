// Package asyncapi describes the typed events of WebSocket routes, as an AsyncAPI 3.0
// document, as TypeScript declarations for browsers, and on a page to read and to try
// them.
//
// An event is a value that the program both uses and lists, so the code and the
// document agree:
//
//	chat := asyncapi.Event[ChatMessage]{Name: "chat"}
//	app.Register(asyncapi.New(asyncapi.Options{Title: "Chat"}, asyncapi.Channel{
//		Path:     "/chat/:room",
//		Receives: []asyncapi.Message{chat},
//		Sends:    []asyncapi.Message{chat},
//	}))
//	app.WS("/chat/:room", func(s *websocket.Socket, c *nextrush.Context) error {
//		chat.On(s, func(s *websocket.Socket, in ChatMessage) error {
//			return chat.Emit(s.To("room"), in)
//		})
//		return s.Join("room")
//	})
package asyncapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/jsonschema"
)

// Options configures a Plugin. The zero value is complete.
type Options struct {
	Title       string   // empty: "WebSocket API"
	Version     string   // of the API; empty: "1.0.0"
	Description string   // Markdown
	Servers     []string // "wss://chat.example"; empty: none

	Path       string             // of the document; empty: "/asyncapi.json"
	TypeScript string             // path of the declarations; empty: "/events.d.ts"
	Page       string             // path of the page; empty: "/asyncapi"
	Guard      []nextrush.Handler // run before all of these; nil: anybody may read

	DisablePage bool // serve the two documents only
}

// Channel is a WebSocket route.
type Channel struct {
	Path     string // as it was given to WS, with the prefixes of groups
	Summary  string
	Receives []Message // what clients send
	Sends    []Message // what the server sends
	Rooms    []string  // names or patterns of the rooms that sockets are in: "room:{room}"
}

// Plugin serves the document and the declarations.
type Plugin struct {
	opts     Options
	channels []Channel
	app      *nextrush.App

	mu   sync.Mutex // guards what follows
	made *documents // nil: not yet, or not without an error
}

type documents struct {
	json       []byte
	typeScript string
}

// New describes channels.
func New(o Options, channels ...Channel) *Plugin {
	o.Title = cmp.Or(o.Title, "WebSocket API")
	o.Version = cmp.Or(o.Version, "1.0.0")
	o.Path = cmp.Or(o.Path, "/asyncapi.json")
	o.TypeScript = cmp.Or(o.TypeScript, "/events.d.ts")
	o.Page = strings.TrimRight(cmp.Or(o.Page, "/asyncapi"), "/")
	return &Plugin{opts: o, channels: channels}
}

// Name is "asyncapi".
func (p *Plugin) Name() string { return "asyncapi" }

// Install registers the routes of the two documents, and of the page with its script and
// style.
func (p *Plugin) Install(app *nextrush.App) error {
	if !p.opts.DisablePage && !strings.HasPrefix(p.opts.Page, "/") {
		return errors.New("the option Page must begin with a slash, and must not be the root")
	}
	p.app = app
	g := app.With(p.opts.Guard...)
	if !p.opts.DisablePage {
		p.addPage(g)
	}
	g.Get(p.opts.Path, func(c *nextrush.Context) error {
		docs, err := p.built()
		if err != nil {
			return err
		}
		return c.Blob("application/json", docs.json)
	})
	g.Get(p.opts.TypeScript, func(c *nextrush.Context) error {
		docs, err := p.built()
		if err != nil {
			return err
		}
		return c.Type("application/typescript; charset=utf-8").Text(docs.typeScript)
	})
	return nil
}

// Start fails if a channel is not a WebSocket route of the App, or if two events that go
// in the same direction on a channel have the same name.
func (p *Plugin) Start(context.Context) error {
	_, err := p.built()
	return err
}

// JSON returns the document. Its errors are those of Start.
func (p *Plugin) JSON() ([]byte, error) {
	docs, err := p.built()
	return docs.json, err
}

// Declarations returns the TypeScript declarations. Its errors are those of Start.
func (p *Plugin) Declarations() (string, error) {
	docs, err := p.built()
	return docs.typeScript, err
}

// built makes the documents once, and anew where the App was not complete before.
func (p *Plugin) built() (documents, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == nil {
		docs, err := p.build()
		if err != nil {
			return documents{}, err
		}
		p.made = &docs
	}
	return *p.made, nil
}

func (p *Plugin) build() (documents, error) {
	if err := p.check(); err != nil {
		return documents{}, err
	}
	types := jsonschema.New("#/components/schemas/")
	document := p.document(types)
	text, err := json.MarshalIndent(document, "", "  ")
	return documents{text, p.declarations(types)}, err
}

func (p *Plugin) check() error {
	if p.app == nil {
		return fmt.Errorf("asyncapi: the plugin is not registered: call App.Register first")
	}
	routes := p.app.Routes()
	for _, ch := range p.channels {
		known := slices.ContainsFunc(routes, func(r nextrush.RouteInfo) bool { return r.WebSocket && r.Path == ch.Path })
		if !known {
			return fmt.Errorf("asyncapi: no WebSocket route has the path %q: register it with WS, or correct the channel", ch.Path)
		}
		for _, messages := range [][]Message{ch.Receives, ch.Sends} {
			if name, twice := repeated(messages); twice {
				return fmt.Errorf("asyncapi: channel %q has the event %q twice in one direction: remove one", ch.Path, name)
			}
		}
	}
	return nil
}

func repeated(messages []Message) (name string, twice bool) {
	seen := map[string]bool{}
	for _, m := range messages {
		name = m.message().name
		if seen[name] {
			return name, true
		}
		seen[name] = true
	}
	return "", false
}

// address returns a route's path as AsyncAPI writes it, and its parameters.
func address(path string) (text string, params []string) {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if at := strings.IndexAny(s, ":*"); at >= 0 {
			params = append(params, s[at+1:])
			segments[i] = s[:at] + "{" + s[at+1:] + "}"
		}
	}
	return strings.Join(segments, "/"), params
}
