package nextrush

import (
	"reflect"

	"github.com/go-playground/validator/v10"

	"github.com/nextrush/nextrush/internal/bind"
	"github.com/nextrush/nextrush/internal/rules"
)

// Operation describes what a route does, for documents such as OpenAPI. Its zero
// value says nothing.
type Operation struct {
	ID          string // unique among the routes, for generators of clients
	Summary     string // one line
	Description string // Markdown
	Tags        []string
	Deprecated  bool

	Status int   // of success; 0: 200, or 204 where Out is empty
	Errors []int // statuses that are answered besides those of Bind

	In  reflect.Type // what Bind fills; nil: unknown
	Out reflect.Type // what is answered as JSON; nil: unknown, struct{}: nothing
}

// Routes are asked what they do by running those of their handlers that were made here,
// with a Context that has no request but a probe, an Operation to be filled. A handler of
// the program must never run like that, so the two kinds are told apart by their code:
// all handlers that described returns share it.

// described is a handler that can be asked what it does.
//
//go:noinline
func described(op Operation, h Handler) Handler {
	return func(c *Context) error {
		if c.extras != nil && c.extras.probe != nil {
			c.extras.probe.add(op)
			return nil
		}
		return h(c)
	}
}

var describedCode = reflect.ValueOf(described(Operation{}, nil)).Pointer()

// operation is what the handlers say of themselves; nil if none says anything.
func operation(handlers []Handler) *Operation {
	var op *Operation
	for _, h := range handlers {
		if reflect.ValueOf(h).Pointer() != describedCode {
			continue
		}
		if op == nil {
			op = new(Operation)
		}
		h(&Context{extras: &extras{probe: op}})
	}
	return op
}

// Handle makes a handler of a function. In is filled and validated as by [Context.Bind],
// and Out is answered as JSON, with the status of the route's [Operation] or of
// [Context.Status]. An error of f is returned. If f has answered by itself, Out is dropped.
// An In or Out of struct{} stands for none; such an Out is answered with 204. [App.Routes]
// tells the types.
//
// Handle panics if In is a pointer or a type that Bind could not fill, or if encoding/json
// could not encode Out. Registering the handler panics if In has a rule that the App's
// Validator does not know or that is not for the field's type, or binds the route's
// parameters under other names.
func Handle[In, Out any](f func(c *Context, in In) (Out, error)) Handler {
	op := Operation{In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out]()}
	if f == nil {
		panic("nextrush: Handle: the function is nil: give one")
	}
	if op.In.Kind() == reflect.Pointer {
		panic("nextrush: Handle: In is " + op.In.String() + ": give what it points to")
	}
	takes, gives := op.In != nothing, op.Out != nothing
	bind.PlanOf(op.In).MustHaveTags()
	bind.MustEncode(op.Out)
	return described(op, func(c *Context) error {
		var in In
		if takes {
			if err := c.Bind(&in); err != nil {
				return err
			}
		}
		out, err := f(c, in)
		switch {
		case err != nil || c.StatusCode() != 0:
			return err
		case !gives:
			return c.NoContent()
		}
		return c.JSON(out)
	})
}

var nothing = reflect.TypeFor[struct{}]()

// Describe is middleware that says what routes do: those of a group, or one if it stands
// before a route's handler. Of several on the way to a route, the last one that sets a
// field counts; Tags and Errors add up. Status is also the status of the answer, unless the
// handler chooses another.
func Describe(op Operation) Handler {
	return described(op, func(c *Context) error {
		if op.Status != 0 {
			c.Status(op.Status)
		}
		return c.Next()
	})
}

func (o *Operation) add(from Operation) {
	tags, errors := append(o.Tags, from.Tags...), append(o.Errors, from.Errors...)
	to, set := reflect.ValueOf(o).Elem(), reflect.ValueOf(from)
	for i := range set.NumField() {
		if f := set.Field(i); !f.IsZero() {
			to.Field(i).Set(f)
		}
	}
	o.Tags, o.Errors = tags, errors
}

// mustSuit panics if the input has a rule that the validator would panic with, or the
// parameters of its route under other names.
func (o *Operation) mustSuit(route string, params []string, with Validator) {
	if o == nil || o.In == nil {
		return
	}
	if v, ok := with.(*validator.Validate); ok {
		bind.Walk(o.In, func(f reflect.StructField) {
			if err := rules.Fit(v, f.Name, f.Type, rules.Parse(f.Tag.Get("validate"))); err != nil {
				panic("nextrush: " + route + ": " + err.Error())
			}
		})
	}
	if err := bind.CheckParams(o.In, params); err != nil {
		panic("nextrush: " + route + " " + err.Error())
	}
}
