// Package apipage has what the pages of plugins openapi and asyncapi have in common: their
// style, and the part of their scripts that shows schemas and makes examples of them.
package apipage

import (
	_ "embed"
	"slices"
)

// Policy is the Content-Security-Policy of a page that runs its own script only.
const Policy = "default-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"

// Style is the style sheet.
//
//go:embed page.css
var Style []byte

//go:embed page.js
var common []byte

// Script returns the script of a page: its own, behind the common part.
func Script(own []byte) []byte { return slices.Concat(common, own) }
