package redis_test

import (
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/internal/redistest"
	"github.com/nextrush/nextrush/plugins/cluster/redis"
	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func open(t *testing.T, url string) *redis.Broker {
	t.Helper()
	b, err := redis.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOneServerKeepsTheContract(t *testing.T) {
	s := redistest.Start(t)
	brokertest.Test(t, brokertest.Engine{
		Open: func(t *testing.T) broker.Broker { return open(t, s.URL()) },
		Cut: func(t *testing.T) (mend func()) {
			s.Kill()
			return s.Start
		},
		Restart: func(t *testing.T) {
			s.Kill()
			s.Start()
		},
	})
}

func TestWhatTheServerLacksIsAMistake(t *testing.T) {
	for want, args := range map[string][]string{
		"":                            {"--maxmemory-policy", "allkeys-lru"}, // which has no effect without maxmemory
		"maxmemory-policy noeviction": {"--maxmemory-policy", "volatile-lru", "--maxmemory", "100mb"},
	} {
		b := open(t, redistest.Start(t, args...).URL())
		defer b.Close(t.Context())
		if err := b.CanKeep(t.Context()); err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: %v, want a text with %q", args, err, want)
		}
	}
	nowhere := open(t, "redis://127.0.0.1:1")
	defer nowhere.Close(t.Context())
	if err := nowhere.CanKeep(t.Context()); err != nil {
		t.Errorf("a server that cannot be reached: %v", err)
	}
}

func TestURLsThatAreMistakesNameTheFix(t *testing.T) {
	for url, want := range map[string]string{
		"localhost:6379":               "redis://",
		"http://localhost":             "redis+sentinel",
		"redis+sentinel://a:1,b:2":     "name of the master",
		"redis+sentinel://a:1/m?db=x":  "not the number",
		"redis://user:secret@%zz:6379": "malformed",
		"redis+proxy://localhost":      "not known",
	} {
		_, err := redis.Open(url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want a text with %q", url, err, want)
		}
	}
}
