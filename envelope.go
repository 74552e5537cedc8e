package nextrush

import (
	"maps"
	"net/url"
	"strconv"
	"strings"
)

// Success answers as NextRush does: {"success":true,"data":v,"message":…}.
func (c *Context) Success(v any, message ...string) error {
	return c.JSON(struct {
		Success bool   `json:"success"`
		Data    any    `json:"data"`
		Message string `json:"message,omitempty"`
	}{true, v, strings.Join(message, " ")})
}

// Fail answers with a status and
// {"success":false,"error":{"message":…,"details":…}}. An error that middleware
// is to see is better returned as an HTTPError.
func (c *Context) Fail(status int, message string, details ...any) error {
	type failure struct {
		Message string `json:"message"`
		Details any    `json:"details,omitempty"`
	}
	f := failure{Message: message}
	if len(details) > 1 {
		f.Details = details
	} else if len(details) == 1 {
		f.Details = details[0]
	}
	return c.Status(status).JSON(struct {
		Success bool    `json:"success"`
		Error   failure `json:"error"`
	}{false, f})
}

// pagination describes one page of a list; pages count from 1.
type pagination struct {
	Page    int  `json:"page"`
	Limit   int  `json:"limit"`
	Total   int  `json:"total"`
	Pages   int  `json:"totalPages"`
	HasNext bool `json:"hasNext"`
	HasPrev bool `json:"hasPrev"`
}

// Paginate answers with one page of a list and, in the Link header, where the
// others are (RFC 8288): {"success":true,"data":items,"pagination":{…}}.
func (c *Context) Paginate(items any, page, limit, total int) error {
	page, limit = max(page, 1), max(limit, 1)
	p := pagination{Page: page, Limit: limit, Total: total, Pages: (total + limit - 1) / limit}
	p.HasNext, p.HasPrev = page < p.Pages, page > 1
	if p.HasPrev {
		c.Append("Link", c.pageLink(page-1, "prev"))
	}
	if p.HasNext {
		c.Append("Link", c.pageLink(page+1, "next"))
	}
	return c.JSON(struct {
		Success    bool       `json:"success"`
		Data       any        `json:"data"`
		Pagination pagination `json:"pagination"`
	}{true, items, p})
}

func (c *Context) pageLink(page int, rel string) string {
	q := maps.Clone(c.Queries())
	q.Set("page", strconv.Itoa(page))
	u := url.URL{RawQuery: q.Encode()}
	return "<" + u.String() + `>; rel="` + rel + `"`
}
