package bind

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
)

// DecodeJSON fills the target with a JSON text. Fields without a json tag keep what
// they have. If strict, a member that no field is for is an error, and so is a name that
// an object has twice. Errors are *Errors.
func (t Target) DecodeJSON(text []byte, strict bool) error {
	wrong, err := t.decodeJSON(text)
	switch {
	case wrong != nil:
		return wrongTypes([]mismatch{*wrong}, err)
	case err != nil:
		return &Error{Message: malformed(text, err), Cause: err}
	case strict:
		return tooMuch(t.surplus(text))
	}
	return nil
}

func (t Target) decodeJSON(text []byte) (*mismatch, error) {
	if t.untagged.Has(JSON) {
		defer holdOut(t.value, "json")()
	}
	err := json.Unmarshal(text, t.pointer)
	if err == nil {
		return nil, nil
	}
	return misfit(err)
}

func misfit(err error) (*mismatch, error) {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return &mismatch{wrong.Field, kindName(wrong.Type)}, err
	}
	return nil, err
}

// DecodeXML fills the target with an XML document. Fields without an xml tag keep what
// they have. An error is an *Error.
func (t Target) DecodeXML(document []byte) error {
	if err := t.decodeXML(document); err != nil {
		return &Error{Message: "the XML is malformed", Cause: err}
	}
	return nil
}

func (t Target) decodeXML(document []byte) error {
	if t.untagged.Has(XML) {
		defer holdOut(t.value, "xml")()
	}
	d := xml.NewDecoder(bytes.NewReader(document))
	if err := d.Decode(t.pointer); err != nil {
		return err
	}
	return onlyMisc(d)
}

// onlyMisc reads to the end of a document, where only comments, processing
// instructions and white space may follow (XML 1.0 §2.1).
func onlyMisc(d *xml.Decoder) error {
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		text, ok := token.(xml.CharData)
		_, element := token.(xml.StartElement)
		if element || ok && len(bytes.TrimSpace(text)) > 0 {
			return errors.New("text after the root element")
		}
	}
}
