package h1

import (
	"bytes"
	"strings"
)

// maxShared is the length of a head up to which its values are parts of one string. A value
// of a longer one is a string of its own, so that who keeps it does not keep all of it. So
// is one of a request for an upgrade: what comes of that lives long, and keeps some.
const maxShared = 4 << 10

// fields are the fields of a head, or those behind a chunked body.
type fields struct {
	text   string    // what they are parts of, with names in canonical form
	first  [16]field // a browser sends 14
	more   []field
	count  int
	seen   uint64 // a bit for each id that is there
	twice  uint64 // and for each that is there more than once
	spaced bool   // whether there is a name with a space in it
	rename bool   // whether there is an unknown name that is not canonical
}

// A field is where the parts of a field begin and end.
type field struct {
	name, colon, value, end uint32
	id                      uint8
}

// read reads the field (RFC 9112 §5) that begins at at and ends with the end of b,
// without its CRLF.
func (f *fields) read(b []byte, at int) error {
	line := b[at:]
	if isBlank(line[0]) {
		return errFold
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return errNoColon
	}
	if colon == 0 {
		return errName
	}
	id := known(line[:colon])
	if id == unknown {
		if err := f.check(line[:colon]); err != nil {
			return err
		}
	}
	value, end := at+colon+1, len(b)
	for value < end && isBlank(b[value]) {
		value++
	}
	for value < end && isBlank(b[end-1]) {
		end--
	}
	if !validValue(b[value:end]) {
		return errValue
	}
	f.add(field{name: uint32(at), colon: uint32(at + colon), value: uint32(value), end: uint32(end), id: id})
	return nil
}

// check checks a name that is not in the table. One with a space is refused when the
// head is whole, for net/http says something else of it.
func (f *fields) check(name []byte) error {
	for _, c := range name {
		if chars[c]&tokenChar != 0 {
			continue
		}
		if c != ' ' {
			return errName
		}
		f.spaced = true
	}
	f.rename = f.rename || !canonical(name)
	return nil
}

func (f *fields) add(new field) {
	if f.count < len(f.first) {
		f.first[f.count] = new
	} else {
		f.more = append(f.more, new)
	}
	f.count++
	f.twice |= f.seen & (1 << new.id)
	f.seen |= 1 << new.id
}

func (f *fields) at(i int) *field {
	if i < len(f.first) {
		return &f.first[i]
	}
	return &f.more[i-len(f.first)]
}

// copy takes the fields out of the buffer that they have been read from.
func (f *fields) copy(b []byte) {
	if !f.rename {
		f.text = string(b)
		return
	}
	var s strings.Builder
	s.Grow(len(b))
	at := uint32(0)
	for i := range f.count {
		if field := f.at(i); field.id == unknown {
			s.Write(b[at:field.name])
			appendCanonical(&s, b[field.name:field.colon])
			at = field.colon
		}
	}
	s.Write(b[at:])
	f.text = s.String()
}

// own returns s, which is a part of the text, as a string that may be kept.
func (f *fields) own(s string) string { return own(s, f.text, f.seen) }

func own(s, text string, seen uint64) string {
	if len(text) > maxShared || seen>>upgrade&1 != 0 {
		return strings.Clone(s)
	}
	return s
}

func (f *fields) has(id uint8) bool { return f.seen>>id&1 != 0 }

// repeats reports whether there is more than one field of a known name.
func (f *fields) repeats(id uint8) bool { return f.twice>>id&1 != 0 }

// value returns the first value of a known name.
func (f *fields) value(id uint8) string {
	if f.has(id) {
		for i := range f.count {
			if field := f.at(i); field.id == id {
				return f.text[field.value:field.end]
			}
		}
	}
	return ""
}

// values yields the values of a known name.
func (f *fields) values(id uint8) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if !f.has(id) {
			return
		}
		for i := range f.count {
			if field := f.at(i); field.id == id && !yield(f.text[field.value:field.end]) {
				return
			}
		}
	}
}

// unite makes one of several equal fields of a known name, or returns false if they differ.
func (f *fields) unite(id uint8) bool {
	first, found := "", false
	for i := range f.count {
		field := f.at(i)
		if field.id != id {
			continue
		}
		v := f.text[field.value:field.end]
		switch {
		case !found:
			first, found = v, true
		case v != first:
			return false
		default:
			field.id = repeated
		}
	}
	return true
}
