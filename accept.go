package nextrush

import (
	"mime"
	"strconv"
	"strings"
)

// Accepts returns the one of the types that the client prefers, by the Accept
// header (RFC 9110 §12.5.1), or "" when it takes none. Among equals the first
// given wins. A type is a media type or a file extension: "json".
func (c *Context) Accepts(types ...string) string {
	ranges := parseAccept(c.req.Header["Accept"])
	if len(ranges) == 0 {
		return first(types)
	}
	best, bestQ := "", 0.0
	for _, t := range types {
		if q := quality(ranges, mediaTypeOf(t)); q > bestQ {
			best, bestQ = t, q
		}
	}
	return best
}

func first(types []string) string {
	if len(types) == 0 {
		return ""
	}
	return types[0]
}

func mediaTypeOf(t string) string {
	if strings.Contains(t, "/") {
		return t
	}
	full, _, _ := mime.ParseMediaType(mime.TypeByExtension("." + strings.TrimPrefix(t, ".")))
	return full
}

type acceptRange struct {
	main, sub string
	q         float64
}

// maxAcceptRanges bounds the work that a request can ask for.
const maxAcceptRanges = 64

func parseAccept(lines []string) []acceptRange {
	var ranges []acceptRange
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if r, ok := parseRange(part); ok && len(ranges) < maxAcceptRanges {
				ranges = append(ranges, r)
			}
		}
	}
	return ranges
}

func parseRange(part string) (acceptRange, bool) {
	name, params, _ := strings.Cut(part, ";")
	main, sub, ok := strings.Cut(strings.ToLower(strings.TrimSpace(name)), "/")
	r := acceptRange{main, sub, 1}
	for p := range strings.SplitSeq(params, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(k, "q") {
			continue
		}
		q, err := strconv.ParseFloat(v, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return r, false
		}
		r.q = q
	}
	return r, ok
}

// quality is that of the most specific range that fits.
func quality(ranges []acceptRange, t string) float64 {
	main, sub, _ := strings.Cut(t, "/")
	q, specific := 0.0, -1
	for _, r := range ranges {
		s := -1
		switch {
		case r.main == main && r.sub == sub:
			s = 2
		case r.main == main && r.sub == "*":
			s = 1
		case r.main == "*" && r.sub == "*":
			s = 0
		}
		if s > specific {
			q, specific = r.q, s
		}
	}
	return q
}

// AcceptsEncoding returns the one of the content codings, "zstd" or "gzip" say,
// that the client prefers by its Accept-Encoding (RFC 9110 §12.5.3), the first of
// them among equals. It is empty where the client takes none of them, or likes
// the content as it is better.
func (c *Context) AcceptsEncoding(codings ...string) string {
	weights := c.weights("Accept-Encoding")
	best, chosen := max(weights["identity"], 0), ""
	for _, coding := range codings {
		q, named := weights[coding]
		if !named {
			q = weights["*"]
		}
		if q > 0 && (q > best || q == best && chosen == "") {
			best, chosen = q, coding
		}
	}
	return chosen
}

// AcceptsLanguage returns the one of the languages, "en" or "pt-BR" say, that the
// client prefers by its Accept-Language (RFC 9110 §12.5.4), the first of them among
// equals and where the client has no preference. A client that wants "de-AT" takes
// "de". It is empty where the client takes none of them.
func (c *Context) AcceptsLanguage(languages ...string) string {
	wanted := c.weights("Accept-Language")
	if len(wanted) == 0 {
		return first(languages)
	}
	best, chosen := 0.0, ""
	for _, language := range languages {
		if q := languageWeight(wanted, strings.ToLower(language)); q > best {
			best, chosen = q, language
		}
	}
	return chosen
}

// languageWeight is that of the range that fits best (RFC 4647 §3.3.1, §3.4): the
// language itself, a narrower one, a wider one, any.
func languageWeight(wanted map[string]float64, language string) float64 {
	if q, ok := wanted[language]; ok {
		return q
	}
	q, narrower := 0.0, false
	for tag, weight := range wanted {
		if strings.HasPrefix(tag, language+"-") {
			q, narrower = max(q, weight), true
		}
	}
	if narrower {
		return q
	}
	for tag := language; ; {
		i := strings.LastIndexByte(tag, '-')
		if i < 0 {
			return wanted["*"]
		}
		tag = tag[:i]
		if q, ok := wanted[tag]; ok {
			return q
		}
	}
}

// weights is what a header says of each value. It is nil where that names too many.
func (c *Context) weights(header string) map[string]float64 {
	weights := make(map[string]float64)
	n := 0
	for _, line := range c.req.Header[header] {
		for part := range strings.SplitSeq(line, ",") {
			if n++; n > maxAcceptRanges {
				return nil
			}
			if name, q := weighed(part); name != "" {
				weights[strings.TrimPrefix(name, "x-")] = q // x-gzip is gzip: §8.4.1.3
			}
		}
	}
	return weights
}

// weighed splits "gzip;q=0.5". A weight that is none counts as 0.
func weighed(part string) (name string, q float64) {
	name, params, found := strings.Cut(part, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	if !found {
		return name, 1
	}
	key, value, _ := strings.Cut(strings.TrimSpace(params), "=")
	q, err := strconv.ParseFloat(value, 64)
	if !strings.EqualFold(key, "q") || err != nil || !(q >= 0 && q <= 1) {
		return name, 0
	}
	return name, q
}
