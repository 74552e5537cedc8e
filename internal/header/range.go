package header

import "strings"

// unsatisfiable is a range that no content has.
const unsatisfiable = "9223372036854775807-"

// Range is a Range as http.ServeContent has to see it to keep to RFC 9110; empty: none.
// A unit other than bytes is ignored (§14.2), the last 0 bytes are not satisfied
// (§14.1.2), and empty content has no part (§14.4).
func Range(value string, empty func() bool) string {
	set, ok := strings.CutPrefix(value, "bytes=")
	if !ok || empty() {
		return ""
	}
	specs := strings.Split(set, ",")
	for i, spec := range specs {
		suffix, ok := strings.CutPrefix(strings.TrimSpace(spec), "-")
		if ok && suffix != "" && strings.Trim(suffix, "0") == "" {
			specs[i] = unsatisfiable
		}
	}
	return "bytes=" + strings.Join(specs, ",")
}

// maxRanges is how many parts of a file a request may ask for; of more it gets the
// whole (RFC 9110 §14.2). Each costs an answer many times the bytes that it takes to
// ask for it (CVE-2011-3192).
const maxRanges = 100

// ManyRanges reports a Range with too many parts.
func ManyRanges(value string) bool { return strings.Count(value, ",") >= maxRanges }
