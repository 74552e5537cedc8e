package asyncapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/asyncapi"
	"github.com/nextrush/nextrush/websocket"
)

type base struct {
	At time.Time `json:"at"`
}

type chatMessage struct {
	base
	Text   string       `json:"text" validate:"required,max=500"`
	Mood   string       `json:"mood,omitempty" validate:"omitempty,oneof=glad sad"`
	Parent *chatMessage `json:"parent,omitempty"`
	Tags   []string     `json:"tags,omitempty" validate:"max=5"`
	Extra  map[string]any
	Hidden string `json:"-"`
}

type historyIn struct {
	Count int `json:"count" validate:"gte=1,lte=100"`
}

type history struct {
	Messages []chatMessage `json:"messages"`
	Raw      []byte        `json:"raw"`
}

var (
	chat  = asyncapi.Event[chatMessage]{Name: "chat", Summary: "Somebody says something"}
	older = asyncapi.Call[historyIn, history]{Name: "history"}
)

func newApp(channels ...asyncapi.Channel) (*nextrush.App, *asyncapi.Plugin) {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.WS("/chat/:room", func(s *websocket.Socket, c *nextrush.Context) error {
		chat.On(s, func(s *websocket.Socket, in chatMessage) error { return chat.Emit(s, in) })
		older.Handle(s, func(_ context.Context, _ *websocket.Socket, in historyIn) (history, error) {
			return history{Messages: make([]chatMessage, in.Count)}, nil
		})
		return s.Join(c.Param("room"))
	})
	if channels == nil {
		channels = []asyncapi.Channel{{
			Path: "/chat/:room", Summary: "One room", Rooms: []string{"{room}"},
			Receives: []asyncapi.Message{chat, older}, Sends: []asyncapi.Message{chat},
		}}
	}
	p := asyncapi.New(asyncapi.Options{Title: "Chat", Servers: []string{"wss://chat.example/v1"}}, channels...)
	app.Register(p)
	return app, p
}

func TestDocumentDescribesChannelsAndMessages(t *testing.T) {
	app, _ := newApp()
	body := nextrushtest.New(t, app).Get("/asyncapi.json").WantStatus(200).Text()
	var doc map[string]any
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"asyncapi":                                                    "3.0.0",
		"servers/server1/host":                                        "chat.example",
		"servers/server1/pathname":                                    "/v1",
		"channels/channel1/address":                                   "/chat/{room}",
		"channels/channel1/x-rooms":                                   []any{"{room}"},
		"operations/channel1.receive.chat/action":                     "receive",
		"operations/channel1.send.chat/channel/$ref":                  "#/channels/channel1",
		"operations/channel1.receive.history/reply/channel/$ref":      "#/channels/channel1",
		"components/schemas/ChatMessage/properties/text/maxLength":    500.0,
		"components/schemas/ChatMessage/properties/at/format":         "date-time",
		"components/schemas/ChatMessage/properties/mood/enum":         []any{"glad", "sad", ""},
		"components/schemas/ChatMessageOutput/properties/mood/enum":   []any{"glad", "sad"},
		"components/schemas/ChatMessage/properties/tags/maxItems":     5.0,
		"components/schemas/ChatMessage/required":                     []any{"text"},
		"components/schemas/ChatMessageOutput/required":               []any{"at", "text", "Extra"},
		"components/schemas/HistoryIn/properties/count/maximum":       100.0,
		"components/schemas/History/properties/messages/items/$ref":   "#/components/schemas/ChatMessageOutput",
		"components/schemas/History/properties/raw/contentEncoding":   "base64",
		"channels/channel1/messages/receive.history/payload/required": []any{"type", "event", "data", "id"},
		"components/schemas/ChatMessage/properties/Hidden":            nil,
	} {
		if got := at(doc, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

// at follows a path into a document; nil if there is nothing.
func at(v any, path string) any {
	for key := range strings.SplitSeq(path, "/") {
		o, _ := v.(map[string]any)
		v = o[key]
	}
	return v
}

func TestDeclarationsAreTypeScript(t *testing.T) {
	app, _ := newApp()
	got := nextrushtest.New(t, app).Get("/events.d.ts").WantStatus(200).Text()
	for _, want := range []string{
		"export interface ChatMessage {\n",
		"export interface ChatMessageOutput {\n",
		"  \"at\"?: string;\n",
		"  \"at\": string;\n",
		"  \"mood\"?: \"glad\" | \"sad\";\n",
		"  \"mood\"?: \"glad\" | \"sad\" | \"\";\n",
		"  \"parent\"?: ChatMessage | null;\n",
		"  \"parent\"?: ChatMessageOutput;\n",
		"  \"Extra\": Record<string, unknown> | null;\n",
		"      \"chat\": (data: ChatMessageOutput) => void;\n",
		"  \"/chat/{room}\": {\n",
		"      \"history\": (data: HistoryIn) => Promise<History>;\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestTheSameAppHasTheSameDocument(t *testing.T) {
	_, first := newApp()
	_, second := newApp()
	a, err := first.JSON()
	b, _ := second.JSON()
	if err != nil || string(a) != string(b) {
		t.Errorf("%v\n%s\n%s", err, a, b)
	}
}

func TestAGuardRunsForBoth(t *testing.T) {
	app := nextrush.New()
	app.Register(asyncapi.New(asyncapi.Options{Guard: []nextrush.Handler{
		func(*nextrush.Context) error { return nextrush.NewError(http.StatusForbidden) }}}))
	c := nextrushtest.New(t, app)
	for _, path := range []string{"/asyncapi.json", "/events.d.ts", "/asyncapi", "/asyncapi/page.js", "/asyncapi/page.css"} {
		c.Get(path).WantStatus(http.StatusForbidden)
	}
}

func TestThePageOfEventsRunsUnderAStrictPolicy(t *testing.T) {
	app, _ := newApp()
	c := nextrushtest.New(t, app)
	page := c.Get("/asyncapi").WantStatus(200).WantHeader("Content-Security-Policy", "default-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'").Text()
	if strings.Contains(page, "<style") || strings.Contains(page, "://") || !strings.Contains(page, `data-document="/asyncapi.json"`) {
		t.Errorf("inline or foreign code in %s", page)
	}
	c.Get("/asyncapi/page.js").WantStatus(200).WantHeader("Content-Type", "text/javascript; charset=utf-8")
	c.Get("/asyncapi/page.css").WantStatus(200).WantHeader("Content-Type", "text/css; charset=utf-8")
}

func TestThePageOfEventsCanBeMovedAndLeftOut(t *testing.T) {
	moved, none := nextrush.New(), nextrush.New()
	moved.Register(asyncapi.New(asyncapi.Options{Page: "/docs/events/"}))
	none.Register(asyncapi.New(asyncapi.Options{DisablePage: true}))
	nextrushtest.New(t, moved).Get("/docs/events").WantStatus(200)
	nextrushtest.New(t, none).Get("/asyncapi").WantStatus(404)
	if err := nextrush.New().Register(asyncapi.New(asyncapi.Options{Page: "/"})); err == nil {
		t.Error("the root is taken for the page")
	}
}

func TestStartNamesMistakes(t *testing.T) {
	for want, ch := range map[string]asyncapi.Channel{
		`no WebSocket route has the path "/other"`:    {Path: "/other"},
		`has the event "chat" twice in one direction`: {Path: "/chat/:room", Sends: []asyncapi.Message{chat, chat}},
	} {
		_, p := newApp(ch)
		if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := asyncapi.New(asyncapi.Options{}).JSON(); err == nil || !strings.Contains(err.Error(), "App.Register") {
		t.Errorf("not registered: %v", err)
	}
}

func TestTypedEventsAreThoseOfTheDocument(t *testing.T) {
	app, _ := newApp()
	s := nextrushtest.New(t, app).Dial("/chat/a")
	s.Send(`{"type":"event","event":"history","id":1,"data":[{"count":0}]}`)
	if got := s.Next().Text(); !strings.Contains(got, `"type":"error"`) {
		t.Errorf("an invalid call: %s", got)
	}
	s.Send(`{"type":"event","event":"chat","data":[{"text":"hi"}]}`)
	if got := s.Next().Text(); !strings.Contains(got, `"event":"chat"`) || !strings.Contains(got, `"text":"hi"`) {
		t.Errorf("the event back: %s", got)
	}
}

func TestACallIsMadeThroughASocketAndThroughAClient(t *testing.T) {
	app, _ := newApp()
	srv := httptest.NewServer(app)
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	socket, err := websocket.Dial(ctx, srv.URL+"/chat/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	client, ended := websocket.NewClient(srv.URL+"/chat/a", nil), make(chan error)
	go func() { ended <- client.Run(ctx) }()
	for name, to := range map[string]websocket.Requester{"socket": socket, "client": client, "again": client.Repeat("")} {
		if out, err := older.Request(ctx, to, historyIn{Count: 1}); err != nil || len(out.Messages) != 1 {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		if _, err := older.Request(ctx, to, historyIn{}); err == nil {
			t.Errorf("%s: nothing was wrong", name)
		}
	}
	var to asyncapi.Emitter = client
	if err := chat.Emit(to, chatMessage{Text: "hi"}); err != nil {
		t.Error(err)
	}
	cancel()
	<-ended
	socket.Close(websocket.StatusNormalClosure, "")
	app.Shutdown(context.Background())
}

func Example() {
	type Greeting struct {
		Text string `json:"text" validate:"required"`
	}
	greet := asyncapi.Event[Greeting]{Name: "greet"}

	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.WS("/hello", func(s *websocket.Socket, c *nextrush.Context) error {
		greet.On(s, func(s *websocket.Socket, in Greeting) error { return greet.Emit(s, in) })
		return nil
	})
	plugin := asyncapi.New(asyncapi.Options{Title: "Hello"}, asyncapi.Channel{
		Path:     "/hello",
		Receives: []asyncapi.Message{greet},
		Sends:    []asyncapi.Message{greet},
	})
	app.Register(plugin)
	text, err := plugin.Declarations()
	fmt.Println(text, err)
	// Output:
	// // Hello 1.0.0: events of its WebSockets
	//
	// export interface Greeting {
	//   "text": string;
	// }
	//
	// export interface GreetingOutput {
	//   "text": string;
	// }
	//
	// export interface Channels {
	//   "/hello": {
	//     clientToServer: {
	//       "greet": (data: Greeting) => void;
	//     };
	//     serverToClient: {
	//       "greet": (data: GreetingOutput) => void;
	//     };
	//   };
	// }
	//  <nil>
}

type größe struct {
	Wert int `json:"wert" doc:"in cm"`
}

type übung struct {
	Größe größe             `json:"größe" doc:"how long"`
	Color string            `json:"color" validate:"oneof='red green' \"blue\""`
	Tags  []string          `json:"tags"`
	Sub   map[string]*größe `json:"sub"`
	ID    int64             `json:"id,string"`
}

func TestNamesOfAllKindsLeadSomewhere(t *testing.T) {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.WS("/s", func(*websocket.Socket, *nextrush.Context) error { return nil })
	var channel asyncapi.Channel
	channel.Path = "/s"
	for _, name := range []string{"chat/message", "a~b", "100%", "größe", "a b", "#", "?"} {
		channel.Receives = append(channel.Receives, asyncapi.Call[übung, []größe]{Name: name})
		channel.Sends = append(channel.Sends, asyncapi.Event[übung]{Name: name})
	}
	p := asyncapi.New(asyncapi.Options{}, channel)
	app.Register(p)
	text, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	json.Unmarshal(text, &doc)
	count := 0
	for _, ref := range refs(doc) {
		count++
		if resolve(doc, ref) == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	}
	if count < 30 {
		t.Errorf("only %d references", count)
	}
	for name := range at(doc, "components/schemas").(map[string]any) {
		if !regexp.MustCompile(`^[a-zA-Z0-9.\-_]+$`).MatchString(name) {
			t.Errorf("the component %q", name)
		}
	}
	declarations, _ := p.Declarations()
	for _, want := range []string{
		"interface _bung {", `"größe"?: Gr__e;`, `"color": "red green" | "\"blue\"";`, `"tags": Array<string> | null;`,
		`"sub": Record<string, Gr__eOutput | null> | null;`, `"id"?: string;`, `"chat/message": (data: _bung) => Promise<Array<Gr__eOutput> | null>;`,
	} {
		if !strings.Contains(declarations, want) {
			t.Errorf("no %s in\n%s", want, declarations)
		}
	}
	if got := at(doc, "components/schemas/_bung/properties/größe/description"); got != "how long" {
		t.Errorf("description %v", got)
	}
}

func refs(v any) (list []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if text, ok := inner.(string); ok && key == "$ref" {
				list = append(list, text)
			}
			list = append(list, refs(inner)...)
		}
	case []any:
		for _, inner := range v {
			list = append(list, refs(inner)...)
		}
	}
	return list
}

// resolve follows a JSON pointer in a URI's fragment (RFC 6901 §6).
func resolve(doc any, ref string) any {
	u, err := url.Parse(ref)
	if err != nil || u.Path != "" || u.RawQuery != "" {
		return nil
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(u.Fragment, "/"), "/") {
		o, _ := doc.(map[string]any)
		doc = o[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return doc
}
