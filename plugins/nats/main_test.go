package nats_test

import (
	"testing"

	"github.com/nextrush/nextrush/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
