package rules

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"
)

// said validates v and returns the messages.
func said(t *testing.T, v any) (all []string) {
	t.Helper()
	check := validator.New(validator.WithRequiredStructEnabled())
	check.RegisterTagNameFunc(FieldName)
	if err := check.RegisterValidation("own", func(validator.FieldLevel) bool { return false }); err != nil {
		t.Fatal(err)
	}
	failed, _ := check.Struct(v).(validator.ValidationErrors)
	for _, f := range failed {
		all = append(all, Message(f, Path(f, reflect.TypeOf(v)), reflect.TypeOf(v)))
	}
	return all
}

func TestMessagesReadAsPeopleWriteThem(t *testing.T) {
	type address struct {
		Zip     string `json:"zip" validate:"required_with=City"`
		City    string `json:"city"`
		Country string `json:"country"`
	}
	type in struct {
		Name     string            `json:"name" validate:"required"`
		Mail     string            `json:"email" validate:"email"`
		Age      int               `json:"age" validate:"gte=18"`
		Nick     string            `json:"nick" validate:"min=3"`
		Initial  string            `json:"initial" validate:"len=1"`
		Tags     []string          `json:"tags" validate:"max=1,unique"`
		Words    []string          `json:"words" validate:"dive,max=2"`
		Meta     map[string]string `json:"meta" validate:"eq=2"`
		Kind     string            `json:"kind" validate:"oneof=red 'dark blue'"`
		Color    string            `json:"color" validate:"hexcolor|startswith=rgb|eq=none"`
		Shade    string            `json:"shade" validate:"hsl"`
		Due      time.Time         `json:"due" validate:"gt"`
		Day      string            `json:"day" validate:"datetime=2006-01-02"`
		Wait     time.Duration     `json:"wait" validate:"min=1m"`
		Password string            `json:"password"`
		Again    string            `json:"again" validate:"eqfield=Password"`
		Country  string            `json:"country"`
		VAT      string            `json:"vat" validate:"required_if=Country DE Kind pink"`
		Phone    string            `json:"phone" validate:"required_without_all=Fax Telex"`
		Fax      string            `json:"fax"`
		Telex    string            `json:"telex" validate:"excluded_unless=Country US"`
		Town     string            `json:"town" validate:"eqcsfield=Address.City"`
		Own      string            `json:"own" validate:"own"`
		Address  address           `json:"address"`
	}
	got := said(t, in{
		Mail: "x", Age: 3, Nick: "ab", Tags: []string{"a", "a"}, Words: []string{"ok", "long"}, Kind: "pink", Color: "x", Day: "x",
		Password: "a", Again: "b", Country: "DE", Telex: "1", Address: address{City: "Rome"},
	})
	want := []string{
		"name is required",
		"email must be an email address",
		"age must be at least 18",
		"nick must have at least 3 characters",
		"initial must have exactly 1 character",
		"tags must have at most 1 item",
		"words[1] must have at most 2 characters",
		"meta must have exactly 2 items",
		"kind must be one of: red, dark blue",
		`color must be a color such as #1e90ff or must start with "rgb" or none`,
		"shade must be a color such as hsl(210,100%,56%)",
		"due must be in the future",
		"day must be a date or time such as 2006-01-02",
		"wait must be at least 1m",
		"again must be the same as password",
		"vat is required if country is DE and kind is pink",
		"telex must be left out unless country is US",
		"town must be the same as address.city",
		"own does not satisfy the rule own",
		"address.zip is required if there is city",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What the validator has of its own is read from its source.
func TestEachBuiltInRuleHasAText(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/go-playground/validator/v10").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "baked_in.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "bakedInAliases = ")
	lists, _, _ := strings.Cut(rest, "\n)")
	names := regexp.MustCompile(`(?m)^\s+"(\w+)":`).FindAllStringSubmatch(lists, -1)
	if len(names) < 150 {
		t.Fatalf("only %d rules", len(names))
	}
	for _, m := range names {
		if texts[strings.Replace(m[1], "csfield", "field", 1)] == "" && bounds[m[1]] == "" {
			t.Errorf("the rule %s has no text", m[1])
		}
	}
}
