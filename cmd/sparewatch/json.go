package main

import (
	"encoding/json"
	"os"

	"github.com/sparewatch/sparewatch/pkg/term"
)

// show prints an answer: as one JSON object, or for people.
func show(answer any, asJSON, all bool, forPeople func(*term.Printer)) error {
	if asJSON {
		return printJSON(answer)
	}
	p := stdout(all)
	forPeople(p)
	return p.Err()
}

// printJSON writes one indented object to standard output.
func printJSON(v any) error {
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
