package submission

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
		}
	}
	return path
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
			case Name:
			}
			fields[i].Path = append(fields[i].Path, text)
		}
	}
	return fields
}
