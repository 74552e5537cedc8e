package redis_test

import (
	"context"
	"fmt"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/internal/leak"
)

// logs is what the client logs by itself, through one logger for all of a process.
var logs = make(logger, 1000)

type logger chan string

func (l logger) Printf(_ context.Context, format string, args ...any) {
	select {
	case l <- fmt.Sprintf(format, args...):
	default:
	}
}

func TestMain(m *testing.M) {
	goredis.SetLogger(logs)
	leak.Main(m)
}
