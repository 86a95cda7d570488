package submission

import "github.com/tidwall/gjson"

// ScalarAt returns the scalar at a path of names in a JSON text that [Plan.JSON]
// has accepted, as text; that of null is empty. given reports whether the text has
// anything there, and odd whether it is no scalar, or stands in no object: a list
// at the top holds many values.
func ScalarAt(body []byte, path []Segment) (text string, given, odd bool) {
	at := gjson.ParseBytes(body)
	for _, segment := range path {
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
