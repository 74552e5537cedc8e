package cookie

import (
	"net/http"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, c := range []*http.Cookie{
		{Name: "session", Path: "/"}, {Name: "__Host-s", Path: "/"}, {Name: "__Secure-s", Path: "/app", Domain: "a.example"},
	} {
		if err := Check(c); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
	for _, c := range []*http.Cookie{
		{Name: "", Path: "/"}, {Name: "my session", Path: "/"}, {Name: "s", Path: ""}, {Name: "s", Path: "app"}, {Name: "s", Path: "/;"},
		{Name: "s", Path: "/", Domain: "https://a.example"}, {Name: "__HOST-s", Path: "/app"}, {Name: "__host-s", Path: "/", Domain: "a.example"},
	} {
		if Check(c) == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}

func TestMustBeSecure(t *testing.T) {
	for name, want := range map[string]bool{"__Host-s": true, "__secure-s": true, "session": false, "__Host": false, "x__Host-s": false} {
		if MustBeSecure(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
