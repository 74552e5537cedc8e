package h1

import "net/http"

// Fields are the fields of a request, for those who want one or two of them, or their
// header later. They are nobody else's.
type Fields struct {
	text    string
	list    []field
	seen    uint64 // a bit for each id that is there
	twice   uint64 // and for each that is there more than once
	hidden  uint64 // for each that is not in the header
	noCache bool   // whether the header has a Cache-Control besides
}

// Fields returns the fields of the head. They are good after the Head has been used again.
func (h *Head) Fields() Fields {
	f := h.fields.kept(h.hidden())
	f.noCache = h.noCache()
	return f
}

// kept copies the fields.
func (f *fields) kept(hidden uint64) Fields {
	list := make([]field, f.count)
	copy(list[copy(list, f.first[:]):], f.more)
	return Fields{text: f.text, list: list, seen: f.seen, twice: f.twice, hidden: hidden}
}

// Has reports whether there is a field with this name, which is one of those that are
// usual. It is quicker than Get.
func (f *Fields) Has(name string) bool { return f.seen>>known(name)&1 != 0 }

// Get returns the first value of the field with this canonical name, or "". Like
// Request.Header, it does not know Host and Transfer-Encoding.
func (f *Fields) Get(name string) string {
	id := known(name)
	switch {
	case f.hidden>>id&1 != 0:
		return ""
	case id == cacheControl && f.noCache:
		return "no-cache"
	}
	for i := range f.list {
		if field := &f.list[i]; field.id == id && (id != unknown || f.text[field.name:field.colon] == name) {
			return own(f.text[field.value:field.end], f.text)
		}
	}
	return ""
}

// Header returns the header that a request has, a new one each time.
func (f *Fields) Header() http.Header {
	n := 0
	for i := range f.list {
		n += int(^f.hidden >> f.list[i].id & 1)
	}
	header := make(http.Header, n)
	values := make([]string, n)
	for i := range f.list {
		field := &f.list[i]
		if f.hidden>>field.id&1 != 0 {
			continue
		}
		name := names[field.id]
		if field.id == unknown {
			name = own(f.text[field.name:field.colon], f.text)
		}
		value := values[:1:1] // no room behind it, or append would write into the next one's
		values = values[1:]
		value[0] = own(f.text[field.value:field.end], f.text)
		if field.id == unknown || f.twice>>field.id&1 != 0 {
			if had := header[name]; had != nil {
				value = append(had, value[0])
			}
		}
		header[name] = value
	}
	if f.noCache {
		header["Cache-Control"] = []string{"no-cache"}
	}
	return header
}
