package route

import "testing"

func TestExpandKeepsDifferentValuesApart(t *testing.T) {
	for _, tt := range []struct{ prefix, a, b, want string }{
		{"", "", "", ""},
		{"/chat", "x", "y", "/chat"},
		{"/:a", "x", "", "/x"},
		{"/t/v:a/:b/end", "1", "2", "/t/v1/2/end"},
		{"/:a/:b", "x/y", "z", "/x%2Fy/z"},
		{"/:a/:b", "x", "y/z", "/x/y%2Fz"},
		{"/:a", "x%2Fy", "", "/x%252Fy"},
	} {
		got := Expand(tt.prefix, func(name string) string { return map[string]string{"a": tt.a, "b": tt.b}[name] })
		if got != tt.want {
			t.Errorf("%s with %q and %q: %q, want %q", tt.prefix, tt.a, tt.b, got, tt.want)
		}
	}
}
