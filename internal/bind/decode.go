package bind

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
)

// DecodeJSON fills the target with a JSON text. Fields without a json tag keep what
// they have. If the error is about a value of the wrong type, it says which.
func (t Target) DecodeJSON(text []byte) (*Mismatch, error) {
	if t.untagged.Has(JSON) {
		defer holdOut(t.value, "json")()
	}
	err := json.Unmarshal(text, t.pointer)
	if err == nil {
		return nil, nil
	}
	return misfit(err)
}

func misfit(err error) (*Mismatch, error) {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return &Mismatch{wrong.Field, kindName(wrong.Type)}, err
	}
	return nil, err
}

// DecodeXML fills the target with an XML document. Fields without an xml tag keep what
// they have.
func (t Target) DecodeXML(document []byte) error {
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
