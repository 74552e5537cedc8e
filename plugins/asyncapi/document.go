package asyncapi

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/nextrush/nextrush/internal/jsonschema"
)

type object = map[string]any

// ref is a JSON pointer in the fragment of a URI (RFC 6901 §3, §6).
func ref(parts ...string) object {
	text := ""
	for _, p := range parts {
		text += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	return object{"$ref": (&url.URL{Fragment: text}).String()}
}

// What clients send is validated, except their replies to a Call. The fields of events
// need no tags.
var (
	received = jsonschema.Mode{Source: "json", Input: true, Untagged: true}
	answered = jsonschema.Mode{Source: "json", Input: true, Untagged: true, Unchecked: true}
	sent     = jsonschema.Mode{Source: "json"}
)

// way is a direction of messages, with the modes of their schemas and those of their
// replies.
type way struct {
	action         string
	message, reply jsonschema.Mode
}

var (
	receive = way{"receive", received, sent}
	send    = way{"send", sent, answered}
)

// document returns the document of AsyncAPI 3.0. Its "receive" and "send" are what the
// server does.
func (p *Plugin) document(types *jsonschema.Generator) object {
	info := object{"title": p.opts.Title, "version": p.opts.Version}
	if p.opts.Description != "" {
		info["description"] = p.opts.Description
	}
	channels, operations := object{}, object{}
	for i, ch := range p.channels {
		id := "channel" + strconv.Itoa(i+1)
		messages := object{}
		for _, m := range ch.Receives {
			operations[id+".receive."+m.message().name] = receive.operation(id, m.message(), messages, types)
		}
		for _, m := range ch.Sends {
			operations[id+".send."+m.message().name] = send.operation(id, m.message(), messages, types)
		}
		channels[id] = channel(ch, messages)
	}
	doc := object{
		"asyncapi": "3.0.0", "info": info, "defaultContentType": "application/json",
		"channels": channels, "operations": operations, "components": object{"schemas": types.Components()},
	}
	if len(p.opts.Servers) > 0 {
		doc["servers"] = servers(p.opts.Servers)
	}
	return doc
}

func servers(urls []string) object {
	all := object{}
	for i, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			u = &url.URL{Scheme: "wss", Host: text}
		}
		server := object{"host": u.Host, "protocol": u.Scheme}
		if u.Path != "" {
			server["pathname"] = u.Path
		}
		all["server"+strconv.Itoa(i+1)] = server
	}
	return all
}

func channel(ch Channel, messages object) object {
	text, params := address(ch.Path)
	c := object{"address": text, "messages": messages, "bindings": object{"ws": object{"method": "GET"}}}
	if ch.Summary != "" {
		c["summary"] = ch.Summary
	}
	if len(params) > 0 {
		all := object{}
		for _, p := range params {
			all[p] = object{}
		}
		c["parameters"] = all
	}
	if len(ch.Rooms) > 0 {
		c["x-rooms"] = ch.Rooms
	}
	return c
}

// operation returns the operation, and adds its messages to those of its channel.
func (w way) operation(id string, m message, messages object, types *jsonschema.Generator) object {
	key := w.action + "." + m.name
	messages[key] = described(m, object{
		"type": object{"const": "event"}, "event": object{"const": m.name}, "data": arguments(types.Of(m.in, w.message)),
		"timestamp": object{"type": "integer", "description": "Unix milliseconds"},
	}, "type", "event", "data")
	op := object{
		"action": w.action, "channel": ref("channels", id), "messages": []any{ref("channels", id, "messages", key)},
	}
	if m.summary != "" {
		op["summary"] = m.summary
	}
	if m.out == nil {
		return op
	}
	withID(messages[key].(object))
	messages[key+".reply"] = described(m, object{
		"type": object{"const": "ack"}, "id": identifier(), "data": arguments(types.Of(m.out, w.reply)),
	}, "type", "id", "data")
	messages[key+".error"] = described(m, object{
		"type": object{"const": "error"}, "id": identifier(), "message": object{"type": "string"}, "errors": object{},
	}, "type", "id", "message")
	op["reply"] = object{"channel": ref("channels", id), "messages": []any{
		ref("channels", id, "messages", key+".reply"), ref("channels", id, "messages", key+".error"),
	}}
	return op
}

func described(m message, properties object, required ...string) object {
	return object{"name": m.name, "payload": object{"type": "object", "required": required, "properties": properties}}
}

// withID makes m an event that asks for a reply.
func withID(m object) {
	payload := m["payload"].(object)
	payload["properties"].(object)["id"] = identifier()
	payload["required"] = append(payload["required"].([]string), "id")
}

func identifier() object { return object{"type": []string{"string", "integer"}} }

// arguments returns the schema of an event's arguments: an array with one.
func arguments(schema object) object {
	return object{"type": "array", "items": []any{schema}, "minItems": 1, "maxItems": 1}
}
