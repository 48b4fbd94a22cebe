package topology

import (
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// Brief writes a text for people with what the site declares by shorter names, which Resolve knows: "feed-a" for
// "ams1/feed/feed-a" where the name says what it is and nothing else is called so, "cooling/crac-1" else. A service is
// called by its name.
func (g *Graph) Brief(text string) string {
	site := g.names.site + "/"
	if len(site) == 1 || !strings.Contains(text, site) {
		return text
	}
	var b strings.Builder
	for at := 0; at < len(text); {
		if rest := text[at:]; atWord(text, at) && strings.HasPrefix(rest, site) {
			id := wordOf(rest)
			b.WriteString(g.brief(component.ID(id)))
			at += len(id)
			continue
		}
		b.WriteByte(text[at])
		at++
	}
	return b.String()
}

// brief is the short name of what is declared; the whole id of anything else.
func (g *Graph) brief(id component.ID) string {
	if _, known := g.nodes[id]; !known || id.Local() == "" {
		return string(id)
	}
	if local := id.Local(); id.Kind() == component.ServiceKind || strings.Contains(local, string(id.Kind())) {
		if is, err := g.Resolve(local); err == nil && is == id {
			return local
		}
	}
	return strings.TrimPrefix(string(id), g.names.site+"/")
}

// inID are the characters of an id beside letters and digits.
const inID = "/-_.@:"

func partOfID(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 || strings.IndexByte(inID, c) >= 0
}

// atWord reports whether an id may begin there.
func atWord(text string, at int) bool { return at == 0 || !partOfID(text[at-1]) }

// wordOf is the id that a text begins with, without the full stop or colon that ends a sentence.
func wordOf(text string) string {
	end := 0
	for end < len(text) && partOfID(text[end]) {
		end++
	}
	return strings.TrimRight(text[:end], ".:")
}
