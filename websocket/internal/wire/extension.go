package wire

// parameter is one extension parameter; quotes and escapes are already gone.
type parameter struct {
	name, value string
	hasValue    bool
}

// scanner reads one line of Sec-WebSocket-Extensions left to right, each byte
// once. Its methods report whether the line conforms to the grammar of RFC 6455
// section 9.1, or leave it at the byte that does not.
type scanner struct {
	line string
	pos  int
}

// scanExtensions calls begin for each extension in values and param for each of
// its parameters, in order. It is false at the first breach of the grammar,
// which by RFC 6455 section 9.1 spoils the whole header.
func scanExtensions(values []string, begin func(name string), param func(parameter)) bool {
	for _, line := range values {
		s := scanner{line: line}
		if !s.extensions(begin, param) {
			return false
		}
	}
	return true
}

func (s *scanner) extensions(begin func(string), param func(parameter)) bool {
	for {
		s.space()
		if name := s.token(); name != "" {
			begin(name)
			if !s.parameters(param) {
				return false
			}
		}
		if s.pos == len(s.line) {
			return true
		}
		if !s.accept(',') {
			return false
		}
	}
}

// parameters reads *( ";" parameter ) and the space after it.
func (s *scanner) parameters(param func(parameter)) bool {
	for s.space(); s.accept(';'); s.space() {
		s.space()
		p := parameter{name: s.token()}
		if p.name == "" {
			return false
		}
		s.space()
		if s.accept('=') {
			s.space()
			if p.value, p.hasValue = s.value(); !p.hasValue {
				return false
			}
		}
		param(p)
	}
	return true
}

// value reads a token, or a quoted string whose content is a token once the
// backslashes of its quoted pairs (RFC 9110 section 5.6.4) are gone.
func (s *scanner) value() (string, bool) {
	if !s.accept('"') {
		v := s.token()
		return v, v != ""
	}
	var v []byte
	for !s.accept('"') {
		s.accept('\\')
		if s.pos == len(s.line) || !isTokenByte(s.line[s.pos]) {
			return "", false
		}
		v = append(v, s.line[s.pos])
		s.pos++
	}
	return string(v), len(v) > 0
}

func (s *scanner) token() string {
	start := s.pos
	for s.pos < len(s.line) && isTokenByte(s.line[s.pos]) {
		s.pos++
	}
	return s.line[start:s.pos]
}

func (s *scanner) space() {
	for s.pos < len(s.line) && (s.line[s.pos] == ' ' || s.line[s.pos] == '\t') {
		s.pos++
	}
}

func (s *scanner) accept(c byte) bool {
	if s.pos == len(s.line) || s.line[s.pos] != c {
		return false
	}
	s.pos++
	return true
}
