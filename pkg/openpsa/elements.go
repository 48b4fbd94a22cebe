package openpsa

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// element is one XML element, without its text: the format keeps text in labels only, and those are not read.
type element struct {
	name     string
	attrs    []xml.Attr
	children []*element
	line     int
}

func (e *element) attr(name string) (string, bool) {
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return strings.TrimSpace(a.Value), true
		}
	}
	return "", false
}

// parts are the children that say something: not labels or attributes.
func (e *element) parts() []*element {
	for i, c := range e.children {
		if c.name == "label" || c.name == "attributes" {
			kept := append([]*element(nil), e.children[:i]...)
			for _, c := range e.children[i+1:] {
				if c.name != "label" && c.name != "attributes" {
					kept = append(kept, c)
				}
			}
			return kept
		}
	}
	return e.children
}

// readElements reads a whole document.
func readElements(r io.Reader) (*element, error) {
	limited := &io.LimitedReader{R: r, N: MaxBytes + 1}
	text, err := toUTF8(limited)
	if err != nil {
		return nil, err
	}
	dec := xml.NewDecoder(text)
	dec.CharsetReader = charset
	names := map[string]string{} // one copy of each element name
	root := &element{}
	open := []*element{root}
	count := 0
	for {
		token, err := dec.RawToken()
		line, _ := dec.InputPos()
		if limited.N <= 0 {
			return nil, &Error{Line: line, Text: fmt.Sprintf("more than %d MiB", MaxBytes>>20)}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, xmlError(err, line)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if len(open) > MaxDepth {
				return nil, &Error{Line: line, Text: fmt.Sprintf("elements nested more than %d deep", MaxDepth)}
			}
			if count++; count > MaxElements {
				return nil, &Error{Line: line, Text: fmt.Sprintf("more than %d elements", MaxElements)}
			}
			name, ok := names[token.Name.Local]
			if !ok {
				name = token.Name.Local
				names[name] = name
			}
			e := &element{name: name, attrs: token.Attr, line: line}
			parent := open[len(open)-1]
			parent.children = append(parent.children, e)
			open = append(open, e)
		case xml.EndElement:
			last := open[len(open)-1]
			if len(open) == 1 || last.name != token.Name.Local {
				return nil, &Error{Line: line, Text: fmt.Sprintf("</%s> closes nothing", token.Name.Local)}
			}
			open = open[:len(open)-1]
		case xml.Directive:
			if bytes.Contains(token, []byte("ENTITY")) {
				return nil, &Error{Line: line, Text: "entities are not read"}
			}
		}
	}
	if len(open) > 1 {
		return nil, mistake(open[len(open)-1], "<%s> is not closed", open[len(open)-1].name)
	}
	if len(root.children) == 0 {
		return nil, &Error{Text: "holds no XML element: it is empty, or no Open-PSA file"}
	}
	if len(root.children) != 1 {
		return nil, &Error{Text: fmt.Sprintf("%d root elements, not one", len(root.children))}
	}
	return root.children[0], nil
}

func xmlError(err error, line int) error {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return &Error{Line: syntax.Line, Text: syntax.Msg}
	}
	return &Error{Line: line, Text: err.Error()}
}

// charset is asked for what the document's first line names, other than UTF-8. UTF-16 has been converted by then.
func charset(name string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii":
		return r, nil
	case "iso-8859-1", "latin1":
		return &latin1{r: bufio.NewReader(r)}, nil
	}
	return nil, fmt.Errorf("encoding %q is not read", name)
}

// latin1 turns ISO 8859-1 into UTF-8.
type latin1 struct{ r io.ByteReader }

func (l *latin1) Read(p []byte) (int, error) {
	n := 0
	for n+utf8.UTFMax <= len(p) {
		b, err := l.r.ReadByte()
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		n += utf8.EncodeRune(p[n:], rune(b))
	}
	if n == 0 && len(p) > 0 {
		return 0, io.ErrShortBuffer
	}
	return n, nil
}

// toUTF8 recognises UTF-16 by its byte order mark or by the zero bytes around the first '<', and turns it into UTF-8.
// XML 1.0, appendix F.
func toUTF8(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 1<<16)
	head, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		_, _ = buffered.Discard(3) // peeked
		return buffered, nil
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		_, _ = buffered.Discard(2)
		return &utf16Reader{r: buffered, low: 0}, nil
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		_, _ = buffered.Discard(2)
		return &utf16Reader{r: buffered, low: 1}, nil
	case bytes.HasPrefix(head, []byte{'<', 0}):
		return &utf16Reader{r: buffered, low: 0}, nil
	case bytes.HasPrefix(head, []byte{0, '<'}):
		return &utf16Reader{r: buffered, low: 1}, nil
	}
	return buffered, nil
}

// utf16Reader turns UTF-16 into UTF-8.
type utf16Reader struct {
	r   *bufio.Reader
	low int // which of two bytes is the low one
	out []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		if err := u.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

func (u *utf16Reader) fill() error {
	var out []byte
	for len(out) < 1<<14 {
		unit, err := u.unit()
		if errors.Is(err, io.EOF) && len(out) > 0 {
			break
		}
		if err != nil {
			return err
		}
		c := rune(unit)
		if utf16.IsSurrogate(c) {
			second, err := u.unit()
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			c = utf16.DecodeRune(c, rune(second))
		}
		out = utf8.AppendRune(out, c)
	}
	u.out = out
	return nil
}

func (u *utf16Reader) unit() (uint16, error) {
	var pair [2]byte
	if _, err := io.ReadFull(u.r, pair[:]); err != nil {
		return 0, err // half a unit at the end is io.ErrUnexpectedEOF
	}
	return uint16(pair[u.low]) | uint16(pair[1-u.low])<<8, nil
}
