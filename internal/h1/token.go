package h1

import "strings"

// listed reports whether an element of the list v is the token low, in any case
// (RFC 9110 §5.6.1). low is in lower case.
func listed(v, low string) bool {
	for more := true; more; {
		var element string
		element, v, more = strings.Cut(v, ",")
		if equalFold(trim(element), low) {
			return true
		}
	}
	return false
}

// hasWord reports whether v has the token low between blanks, commas or its ends, in any
// case. It is what net/http asks of the first value of Connection and Expect.
func hasWord(v, low string) bool {
	for len(v) >= len(low) {
		end := strings.IndexAny(v, " ,\t")
		if end < 0 {
			end = len(v)
		}
		if equalFold(v[:end], low) {
			return true
		}
		v = v[min(end+1, len(v)):]
	}
	return false
}

// elements calls f for each element of the list v that is not empty.
func elements(v string, f func(string)) {
	for element := range strings.SplitSeq(v, ",") {
		if element = strings.Trim(element, " \t\r\n"); element != "" {
			f(element)
		}
	}
}
