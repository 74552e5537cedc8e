package asyncapi

import (
	"net/url"
	"strconv"
)

type object = map[string]any

func ref(parts ...string) object {
	text := "#"
	for _, p := range parts {
		text += "/" + p
	}
	return object{"$ref": text}
}

// document is AsyncAPI 3.0. What it calls "receive" is what the server does.
func (p *Plugin) document(types *types) object {
	info := object{"title": p.opts.Title, "version": p.opts.Version}
	if p.opts.Description != "" {
		info["description"] = p.opts.Description
	}
	channels, operations := object{}, object{}
	for i, ch := range p.channels {
		id := "channel" + strconv.Itoa(i+1)
		messages := object{}
		for _, m := range ch.Receives {
			operations[id+".receive."+m.message().name] = operation("receive", id, m.message(), messages, types)
		}
		for _, m := range ch.Sends {
			operations[id+".send."+m.message().name] = operation("send", id, m.message(), messages, types)
		}
		channels[id] = channel(ch, messages)
	}
	doc := object{
		"asyncapi": "3.0.0", "info": info, "defaultContentType": "application/json",
		"channels": channels, "operations": operations, "components": object{"schemas": types.schemas()},
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

// operation adds the operation's messages to those of its channel.
func operation(action, id string, m message, messages object, types *types) object {
	key := action + "." + m.name
	messages[key] = described(m, object{
		"type": object{"const": "event"}, "event": object{"const": m.name}, "data": arguments(types.schema(m.in)),
		"timestamp": object{"type": "integer", "description": "Unix milliseconds"},
	}, "type", "event", "data")
	op := object{
		"action": action, "channel": ref("channels", id), "messages": []any{ref("channels", id, "messages", key)},
	}
	if m.summary != "" {
		op["summary"] = m.summary
	}
	if m.out == nil {
		return op
	}
	withID(messages[key].(object))
	messages[key+".reply"] = described(m, object{
		"type": object{"const": "ack"}, "id": identifier(), "data": arguments(types.schema(m.out)),
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

// withID makes an event one that asks for a reply.
func withID(m object) {
	payload := m["payload"].(object)
	payload["properties"].(object)["id"] = identifier()
	payload["required"] = append(payload["required"].([]string), "id")
}

func identifier() object { return object{"type": []string{"string", "integer"}} }

// arguments are those of an event: one, in an array.
func arguments(schema object) object {
	return object{"type": "array", "items": []any{schema}, "minItems": 1, "maxItems": 1}
}
