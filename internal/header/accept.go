package header

import (
	"mime"
	"slices"
	"strconv"
	"strings"
)

// Accept returns the one of the types that a client prefers by the lines of its Accept
// (RFC 9110 §12.5.1), or "" if it takes none. Among equals the first given wins. A type
// is a media type or a file extension: "json".
func Accept(lines []string, types []string) string {
	ranges := slices.DeleteFunc(qualities(lines), func(r quality) bool { return !strings.Contains(r.value, "/") })
	if len(ranges) == 0 {
		return first(types)
	}
	return best(types, func(t string) float64 { return typeQuality(ranges, mediaTypeOf(t)) })
}

func mediaTypeOf(t string) string {
	if strings.Contains(t, "/") {
		return t
	}
	full, _, _ := mime.ParseMediaType(mime.TypeByExtension("." + strings.TrimPrefix(t, ".")))
	return full
}

// typeQuality is that of the most specific range that fits.
func typeQuality(ranges []quality, t string) float64 {
	main, _, _ := strings.Cut(t, "/")
	for _, fitting := range []string{t, main + "/*", "*/*"} {
		if q, ok := of(ranges, fitting); ok {
			return q
		}
	}
	return 0
}

// AcceptEncoding returns the one of the content codings, "zstd" or "gzip" say, that a
// client prefers by the lines of its Accept-Encoding (RFC 9110 §12.5.3), the first of
// them among equals. It is empty if the client takes none of them, or prefers the content
// without a coding.
func AcceptEncoding(lines []string, codings []string) string {
	wanted := qualities(lines)
	for i := range wanted {
		wanted[i].value = strings.TrimPrefix(wanted[i].value, "x-") // x-gzip is gzip: RFC 9110 §8.4.1.3
	}
	identity, _ := of(wanted, "identity")
	chosen, q := "", identity
	for _, coding := range codings {
		offered, named := of(wanted, coding)
		if !named {
			offered, _ = of(wanted, "*")
		}
		if offered > 0 && (offered > q || offered == q && chosen == "") {
			chosen, q = coding, offered
		}
	}
	return chosen
}

// AcceptLanguage returns the one of the languages, "en" or "pt-BR" say, that a client
// prefers by the lines of its Accept-Language (RFC 9110 §12.5.4), the first of them
// among equals and if the client has no preference. A client that wants "de-AT" takes
// "de". It is empty if the client takes none of them.
func AcceptLanguage(lines []string, languages []string) string {
	wanted := qualities(lines)
	if len(wanted) == 0 {
		return first(languages)
	}
	return best(languages, func(l string) float64 { return languageQuality(wanted, strings.ToLower(l)) })
}

// languageQuality is that of the range that fits best (RFC 4647 §3.3.1, §3.4): the
// language itself, a narrower one, a wider one, any.
func languageQuality(wanted []quality, language string) float64 {
	if q, ok := of(wanted, language); ok {
		return q
	}
	q, narrower := 0.0, false
	for _, w := range wanted {
		if strings.HasPrefix(w.value, language+"-") {
			q, narrower = max(q, w.q), true
		}
	}
	if narrower {
		return q
	}
	for wider := language; ; {
		i := strings.LastIndexByte(wider, '-')
		if i < 0 {
			q, _ := of(wanted, "*")
			return q
		}
		wider = wider[:i]
		if q, ok := of(wanted, wider); ok {
			return q
		}
	}
}

// quality is what a client says of a value, in small letters: 0, not wanted, to 1.
type quality struct {
	value string
	q     float64
}

// maxQualities bounds the work that a request can ask for.
const maxQualities = 64

// qualities reads "gzip, br;q=0.5" (RFC 9110 §12.4.2). Elements with a malformed weight
// are left out; of a list with too many elements nothing is read.
func qualities(lines []string) (list []quality) {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			value, params, _ := strings.Cut(element, ";")
			value = strings.ToLower(strings.TrimSpace(value))
			if q, ok := weight(params); ok && value != "" {
				list = append(list, quality{value, q})
			}
			if len(list) > maxQualities {
				return nil
			}
		}
	}
	return list
}

// weight is the parameter q of an element; 1 without one.
func weight(params string) (q float64, ok bool) {
	q = 1
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(key, "q") {
			continue
		}
		var err error
		if q, err = strconv.ParseFloat(value, 64); err != nil || !(q >= 0 && q <= 1) {
			return 0, false
		}
	}
	return q, true
}

// of returns the quality of a value; of several the last one counts.
func of(list []quality, value string) (q float64, ok bool) {
	for _, e := range slices.Backward(list) {
		if e.value == value {
			return e.q, true
		}
	}
	return 0, false
}

// best is the offer of the highest quality above 0, the first one among equals.
func best(offers []string, q func(offer string) float64) (chosen string) {
	highest := 0.0
	for _, offer := range offers {
		if q := q(offer); q > highest {
			chosen, highest = offer, q
		}
	}
	return chosen
}

func first(offers []string) string {
	if len(offers) == 0 {
		return ""
	}
	return offers[0]
}
