// Package web serves the status page: services with the spares they have left, open incidents with cause and remedy,
// groups, blind spots, and how the targets do.
//
// It is for a tired person with a phone: one page, made on the server, that needs nothing from elsewhere. Colour is
// never the only sign, unknown looks unknown, and a page that could not be refreshed says so. Everything a device said
// is escaped. The page is made from one View, an immutable picture in memory.
package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"

	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// View is the picture that one page shows. Its values are not changed by anyone.
type View struct {
	Site      string
	Version   string
	Now       time.Time
	Report    *engine.Report      // nil: nothing was judged yet
	Incidents []incident.Incident // open, oldest first
	Devices   []*state.Device     // sorted by name
}

//go:embed page.html page.css page.js
var files embed.FS

var tmpl = template.Must(template.ParseFS(files, "page.html"))

// Handler serves the page at /, and its style and script beside it. source gives the present view, from any goroutine,
// without blocking.
func Handler(source func() View) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		var out bytes.Buffer
		if err := tmpl.Execute(&out, compose(source())); err != nil {
			http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write(out.Bytes()) // the client has gone away
	})
	assets := http.FileServerFS(files)
	for _, name := range []string{"page.css", "page.js"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			assets.ServeHTTP(w, r)
		})
	}
	return mux
}
