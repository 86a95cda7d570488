package submission

import (
	"slices"
	"strings"
)

// segments returns a path of names, with "*" and "**" as the policy has them.
func segments(texts ...string) []Segment {
	path := make([]Segment, len(texts))
	for i, text := range texts {
		path[i].Text = text
		switch text {
		case "*":
			path[i].Kind = Element
		case "**":
			path[i].Kind = Subtree
		default:
			if parts := wildcardParts(text); slices.ContainsFunc(parts, func(p Part) bool { return p.Expression != "" }) {
				path[i].Kind, path[i].Parts = Wildcard, parts
			}
		}
	}
	return path
}

// wildcardParts splits a segment at its wildcards: "{n}" or "{n:expression}".
func wildcardParts(text string) []Part {
	var parts []Part
	for text != "" {
		start := strings.IndexByte(text, '{')
		if start < 0 {
			return append(parts, Part{Literal: text})
		}
		if start > 0 {
			parts = append(parts, Part{Literal: text[:start]})
		}
		depth, end := 0, start
		for ; end < len(text); end++ {
			if text[end] == '{' {
				depth++
			} else if text[end] == '}' {
				if depth--; depth == 0 {
					break
				}
			}
		}
		if end == len(text) {
			return append(parts, Part{Literal: text[start:]})
		}
		_, expression, ok := strings.Cut(text[start+1:end], ":")
		if !ok {
			expression = "[A-Za-z0-9_-]{1,64}"
		}
		parts = append(parts, Part{Expression: expression})
		text = text[end+1:]
	}
	return parts
}

// declared is a field as the oracle knows it.
type declared struct {
	Path []string // "*" is an element and "**" the subtree
	Kept bool
}

func declaredBy(p *Plan) []declared {
	fields := make([]declared, len(p.fields))
	for i, f := range p.fields {
		fields[i].Kept = f.Kept
		for _, s := range f.Path {
			text := s.Text
			switch s.Kind {
			case Element:
				text = "*"
			case Subtree:
				text = "**"
			case Name, Wildcard:
			}
			fields[i].Path = append(fields[i].Path, text)
		}
	}
	return fields
}
