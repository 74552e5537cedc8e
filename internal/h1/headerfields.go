package h1

import (
	"math/bits"
	"net/http"
	"strings"
)

// Fields are the fields of a request, for those who want one or two of them, or their
// header later. They are nobody else's.
type Fields struct {
	text    string // as they came, but with unknown names in canonical form
	count   int
	seen    uint64 // a bit for each id that is there
	twice   uint64 // and for each that is there more than once
	hidden  uint64 // for each that is not in the header
	noCache bool   // whether the header has a Cache-Control besides
}

// Fields returns the fields of the head. They are good after the Head has been used again.
func (h *Head) Fields() Fields {
	f := h.fields.from(h.line.end+len("\r\n"), h.hidden())
	f.noCache = h.noCache()
	return f
}

// from returns the fields, which begin at at.
func (f *fields) from(at int, hidden uint64) Fields {
	return Fields{text: f.text[at:], count: f.count, seen: f.seen, twice: f.twice, hidden: hidden}
}

// Has reports whether there is a field with this name, which is one of those that are
// usual. It is quicker than Get.
func (f *Fields) Has(name string) bool { return f.seen>>known(name)&1 != 0 }

// Get returns the first value of the field with this canonical name, or "". Like
// Request.Header, it does not know Host and Transfer-Encoding.
func (f *Fields) Get(name string) (value string) {
	wanted := known(name)
	switch {
	case f.hidden>>wanted&1 != 0 || f.seen>>wanted&1 == 0 && wanted != cacheControl:
		return ""
	case wanted == cacheControl && f.noCache:
		return "no-cache"
	}
	f.each(func(id uint8, as, v string) bool {
		if id != wanted || id == unknown && as != name {
			return true
		}
		value = own(v, f.text, f.seen)
		return false
	})
	return value
}

// each yields the fields with their ids until it is told to end.
func (f *Fields) each(yield func(id uint8, name, value string) bool) {
	for rest := f.text; ; {
		line, after, _ := strings.Cut(rest, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || !yield(known(name), name, strings.Trim(value, " \t")) {
			return
		}
		rest = after
	}
}

// Header returns the header that a request has, a new one each time.
func (f *Fields) Header() http.Header {
	most := f.count - bits.OnesCount64(f.seen&f.hidden)
	header := make(http.Header, most)
	values := make([]string, most)
	length := false
	f.each(func(id uint8, name, v string) bool {
		repeats := id == contentLength && length && f.hidden>>repeated&1 != 0
		length = length || id == contentLength
		if repeats || f.hidden>>id&1 != 0 {
			return true
		}
		if id != unknown {
			name = names[id]
		} else {
			name = own(name, f.text, f.seen)
		}
		value := values[:1:1] // no room behind it, or append would write into the next one's
		values = values[1:]
		value[0] = own(v, f.text, f.seen)
		if id == unknown || f.twice>>id&1 != 0 {
			if had := header[name]; had != nil {
				value = append(had, value[0])
			}
		}
		header[name] = value
		return true
	})
	if f.noCache {
		header["Cache-Control"] = []string{"no-cache"}
	}
	return header
}
