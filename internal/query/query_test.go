package query

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestParseReadsAsTheURLStandard(t *testing.T) {
	for text, want := range map[string]url.Values{
		"":                        {},
		"q=a;b&page=2":            {"q": {"a;b"}, "page": {"2"}},
		"q=%zz&a=%&b=%4":          {"q": {"%zz"}, "a": {"%"}, "b": {"%4"}},
		"a=%41%c3%BC+%2B&a=%25zz": {"a": {"Aü +", "%zz"}},
		"&&a&=b&c==d&":            {"a": {""}, "": {"b"}, "c": {"=d"}},
		"%3d=%26":                 {"=": {"&"}},
		"a=%00":                   {"a": {"\x00"}},
	} {
		got, err := Parse(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestParseIsBounded(t *testing.T) {
	if _, err := Parse(strings.Repeat("a&", MaxPairs-1)); err != nil {
		t.Error(err)
	}
	if got, err := Parse(strings.Repeat("a&", MaxPairs)); !errors.Is(err, ErrTooMany) || len(got) != 0 {
		t.Error(len(got), err)
	}
}

// What net/url takes is read the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a=b&c=%20", "q=a;b", "%", "+=+", "a=%zz&b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text)
		want, strict := url.ParseQuery(text)
		if err == nil && strict == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, net/url has %q", text, got, want)
		}
		again, err := Parse(got.Encode())
		if err == nil && !reflect.DeepEqual(again, got) {
			t.Errorf("%q: %q, then %q", text, got, again)
		}
	})
}
