package openapi_test

import (
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/openapi"
)

func TestADocumentThatWasAskedForTooEarlyIsMadeLater(t *testing.T) {
	p := openapi.New(openapi.Options{})
	if _, err := p.JSON(); err == nil {
		t.Error("no error before it is registered")
	}
	nextrush.New().Register(p)
	if _, err := p.JSON(); err != nil {
		t.Error(err)
	}
}
