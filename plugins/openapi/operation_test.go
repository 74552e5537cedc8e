package openapi

import (
	"reflect"
	"testing"

	"github.com/nextrush/nextrush"
)

func TestSuccessStatus(t *testing.T) {
	for _, tt := range []struct {
		op   nextrush.Operation
		want int
	}{
		{nextrush.Operation{}, 200},
		{nextrush.Operation{Out: reflect.TypeFor[string]()}, 200},
		{nextrush.Operation{Out: reflect.TypeFor[struct{}]()}, 204},
		{nextrush.Operation{Status: 201, Out: reflect.TypeFor[struct{}]()}, 201},
	} {
		if got := successStatus(&tt.op); got != tt.want {
			t.Errorf("%+v: %d, want %d", tt.op, got, tt.want)
		}
	}
}
