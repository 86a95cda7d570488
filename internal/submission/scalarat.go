package submission

import (
	"slices"

	"github.com/tidwall/gjson"
)

// ScalarAt returns the scalar at a path of names in a JSON text that [Plan.JSON]
// has accepted, as text; that of null is empty. given reports whether the text has
// anything there, and odd whether it is no scalar, or stands in no object: a list
// at the top holds many values. texts are the lengths of those paths above it at which
// a string is a JSON text ([Field.JSON]).
func ScalarAt(body []byte, path []Segment, texts []int) (text string, given, odd bool) {
	at := gjson.ParseBytes(body)
	for i, segment := range path {
		if at.Type == gjson.String && slices.Contains(texts, i) {
			if at = gjson.Parse(at.Str); !at.Exists() {
				return "", false, false
			}
		}
		switch {
		case at.Type == gjson.Null:
			return "", false, false
		case !at.IsObject():
			return "", true, true
		}
		var member gjson.Result
		at.ForEach(func(name, value gjson.Result) bool {
			if name.String() == segment.Text {
				member = value
			}
			return !member.Exists()
		})
		if !member.Exists() {
			return "", false, false
		}
		at = member
	}
	switch {
	case at.IsObject(), at.IsArray():
		return "", true, true
	case at.Type == gjson.Number:
		return at.Raw, true, false
	}
	return at.String(), true, false
}
