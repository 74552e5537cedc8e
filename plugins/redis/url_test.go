package redis_test

import (
	"crypto/tls"
	"reflect"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/plugins/redis"
)

// settings is what clients of all kinds have.
type settings struct {
	Addrs          []string
	User, Password string
	DB             int
	TLS            bool
	Retries        int
	Read           time.Duration
}

func settingsOf(t *testing.T, client goredis.UniversalClient) settings {
	var config *tls.Config
	var s settings
	switch c := client.(type) {
	case *goredis.Client:
		o := c.Options()
		s, config = settings{[]string{o.Addr}, o.Username, o.Password, o.DB, false, o.MaxRetries, o.ReadTimeout}, o.TLSConfig
	case *goredis.ClusterClient:
		o := c.Options()
		s, config = settings{o.Addrs, o.Username, o.Password, 0, false, o.MaxRetries, o.ReadTimeout}, o.TLSConfig
	}
	if s.TLS = config != nil; s.TLS && (config.InsecureSkipVerify || config.MinVersion < tls.VersionTLS12) {
		t.Errorf("%s: TLS without a check, or too old", s.Addrs)
	}
	return s
}

func TestConnectReadsURLs(t *testing.T) {
	for url, want := range map[string]settings{
		"redis://localhost":                                  {[]string{"localhost:6379"}, "", "", 0, false, 0, 3 * time.Second},
		"rediss://u:p%40%2F@h:1/2?read_timeout=5s":           {[]string{"h:1"}, "u", "p@/", 2, true, 0, 5 * time.Second},
		"redis+sentinel://:p@a,b:1/m?db=3":                   {[]string{"FailoverClient"}, "", "p", 3, false, 0, 3 * time.Second},
		"rediss+sentinel://a/m":                              {[]string{"FailoverClient"}, "", "", 0, true, 0, 3 * time.Second},
		"redis+cluster://u:p@a:7000,[::1]:7001,b,10.0.0.1:1": {[]string{"a:7000", "[::1]:7001", "b:6379", "10.0.0.1:1"}, "u", "p", 0, false, 0, 3 * time.Second},
		"rediss+cluster://[::1]":                             {[]string{"[::1]:6379"}, "", "", 0, true, 0, 3 * time.Second},
		"unix:///run/redis.sock":                             {[]string{"/run/redis.sock"}, "", "", 0, false, 0, 3 * time.Second},
	} {
		client, err := redis.Connect(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		client.Close()
		got := settingsOf(t, client)
		got.Retries = max(got.Retries, 0) // -1 until the first use
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", url, got, want)
		}
	}
}

func TestAMalformedURLIsAnErrorWithoutThePassword(t *testing.T) {
	for _, url := range []string{
		"", "localhost", "secret", "http://:secret@h", "redis+other://:secret@h", "redis+://:secret@h", "unix+cluster://h",
		"redis://:secret@h:port", "redis://:sec#secret@h", "redis://:secret%zz@h", "redis://:secret/x@h", "redis://:secret@h/x",
		"redis+sentinel://:secret@h", "redis+sentinel://:secret@h/", "redis+sentinel://:secret@h/a/b", "redis+sentinel://:secret@h/m?db=x",
		"redis+cluster://:secret@", "redis+cluster://:secret@h,", "redis+cluster://:secret@h:port", "redis+cluster://:sec#secret@h",
	} {
		_, err := redis.Open(url)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
