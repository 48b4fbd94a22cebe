package config

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// Export is one receiver of numbers.
type Export struct {
	Name string // one of its kind, unless said
	Kind ExportKind
	URL  string

	Org, Bucket         string            // InfluxDB 2 and 3
	Database, Retention string            // InfluxDB 1
	User                string            // with Secret as its password
	Secret              secret.Text       // a token where there is no User
	Headers             map[string]string // remote write and OTLP
	TLS                 collectors.TLS

	Every time.Duration // between rounds of everything
	Parts bool          // components and their readings too
	Batch int           // points in one request
	Spool int64         // bytes that may wait on disk
}

// ExportKind says how a receiver is spoken to.
type ExportKind string

// The kinds of exports; each is a key of the configuration.
const (
	Influx      ExportKind = "influx"       // line protocol
	RemoteWrite ExportKind = "remote_write" // Prometheus' remote write 1.0
	OTLP        ExportKind = "otlp"         // OpenTelemetry, protobuf over HTTP
)

var exportKinds = []ExportKind{Influx, RemoteWrite, OTLP}

// Bounds of what may be written.
const (
	leastEvery   = time.Second
	mostEvery    = time.Hour
	mostBatch    = 100_000
	leastSpool   = 8 << 20
	mostSpool    = 1 << 40
	defaultEvery = 15 * time.Second
	defaultBatch = 5000
	defaultSpool = 256 << 20
)

// exports takes in the lists of receivers.
func (l *loader) exports(s *section) {
	for _, kind := range exportKinds {
		for _, n := range s.items(string(kind)) {
			l.takeExport(kind, n)
		}
	}
}

func (l *loader) takeExport(kind ExportKind, n node) {
	known := []string{"name", "url", "user", "tls", "every", "parts", "batch", "spool"}
	for _, what := range []string{"token", "password"} {
		known = append(known, secretKeys(what)...)
	}
	if kind == Influx {
		known = append(known, "org", "bucket", "database", "retention_policy")
	} else {
		known = append(known, "headers")
	}
	s := l.mapping(n, "an entry of "+string(kind), known...)
	e := Export{
		Name: s.text("name"), Kind: kind, URL: l.exportURL(s, kind), User: s.text("user"),
		Org: s.text("org"), Bucket: s.text("bucket"), Database: s.text("database"), Retention: s.text("retention_policy"),
		Headers: l.headers(s), TLS: l.tls(s.keys["tls"], "tls of an entry of "+string(kind), nil),
		Every: s.duration("every", leastEvery, mostEvery, defaultEvery), Parts: !s.has("parts") || s.yes("parts"),
		Batch: s.number("batch", 1, mostBatch, defaultBatch), Spool: s.size("spool", leastSpool, mostSpool, defaultSpool),
	}
	if e.Name == "" {
		e.Name = string(kind)
	}
	e.Name = l.name(s.where("name"), s.title, e.Name)
	key := "export " + e.Name
	if before, ok := l.outlets[key]; ok && e.Name != "" {
		l.wrong(s.where("name"), "give one of them another name with name:", "two receivers of numbers are called %s: also at %s", e.Name, before)
	}
	l.outlets[key] = s.at()
	e.Secret = l.exportSecret(s, e)
	if kind == Influx {
		l.checkInflux(s, e)
	}
	if e.TLS.Insecure {
		l.warn(s.where("tls"), "give ca: FILE, or fingerprint", "insecure: anybody in between can read what is sent to %s", e.Name)
	}
	l.cfg.Exports = append(l.cfg.Exports, e)
}

// exportURL checks the address; a path of InfluxDB's API is ours to add.
func (l *loader) exportURL(s *section, kind ExportKind) string {
	text := s.text("url")
	u, err := url.Parse(text)
	switch {
	case text == "":
		l.wrong(s.at(), "write url: "+exampleURL[kind], "%s has no url", s.title)
		return ""
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || badHost(u.Hostname()) != "":
		l.wrong(s.where("url"), "write "+exampleURL[kind], "the url of %s is no http or https address", s.title)
		return ""
	case u.User != nil:
		l.wrong(s.where("url"), "write user and password_file beside it", "the url of %s holds a user", s.title)
		return ""
	case kind == Influx && (strings.HasSuffix(u.Path, "/write") || u.RawQuery != ""):
		l.wrong(s.where("url"), "write "+u.Scheme+"://"+u.Host+", and bucket or database beside it", "the url of %s holds a path of the API", s.title)
		return ""
	case kind != Influx && strings.Trim(u.Path, "/") == "":
		l.wrong(s.where("url"), "write "+exampleURL[kind], "the url of %s has no path", s.title)
		return ""
	}
	return strings.TrimSuffix(text, "/")
}

var exampleURL = map[ExportKind]string{
	Influx:      "https://influx.example.net:8086",
	RemoteWrite: "https://prometheus.example.net/api/v1/write",
	OTLP:        "https://otel.example.net:4318/v1/metrics",
}

// exportSecret reads a user's password or a token.
func (l *loader) exportSecret(s *section, e Export) secret.Text {
	token, password := l.hasSecret(s, "token"), l.hasSecret(s, "password")
	switch {
	case token && (password || e.User != ""):
		l.wrong(s.at(), "take one of them out", "%s has both a token and a user", s.title)
	case password != (e.User != ""):
		l.wrong(s.at(), "write user and password_file, or token_file", "%s has one of user and password without the other", s.title)
	case token:
		return l.secret(s, "token")
	case password:
		return l.secret(s, "password")
	}
	return secret.Text{}
}

func (l *loader) checkInflux(s *section, e Export) {
	switch {
	case e.Bucket == "" && e.Database == "":
		l.wrong(s.at(), "write bucket (InfluxDB 2 and 3) or database (InfluxDB 1)", "%s says neither a bucket nor a database", s.title)
	case e.Bucket != "" && e.Database != "":
		l.wrong(s.where("database"), "take one of them out: bucket is for InfluxDB 2 and 3, database for 1", "%s has both a bucket and a database", s.title)
	case e.Database != "" && (e.Org != "" || l.hasSecret(s, "token")):
		l.wrong(s.at(), "write user and password_file, or bucket in the place of database", "%s has a database, and an org or a token, which InfluxDB 1 does not know", s.title)
	case e.Bucket != "" && (e.Retention != "" || e.User != ""):
		l.wrong(s.at(), "write token_file, or database in the place of bucket", "%s has a bucket, and a retention_policy or a user, which are InfluxDB 1's", s.title)
	}
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// headers are those of a request beside the protocol's own, as a tenant's.
func (l *loader) headers(s *section) map[string]string {
	h := l.freeMapping(s.keys["headers"], "headers of "+s.title)
	out := map[string]string{}
	for _, name := range h.names() {
		value := h.text(name)
		switch {
		case !headerName.MatchString(name), strings.ContainsAny(value, "\r\n"):
			l.wrong(h.where(name), "write NAME: VALUE, as X-Scope-OrgID: ops", "%q is no header", name)
		case http.CanonicalHeaderKey(name) == "Authorization":
			l.wrong(h.where(name), "write token_file, or user and password_file", "a secret does not belong in headers")
		default:
			out[name] = value
		}
	}
	return out
}

var sizeText = regexp.MustCompile(`^([0-9]{1,9}) ?(MB|MiB|GB|GiB)$`)

// size is the key's value in bytes, least <= value <= most; otherwise where it is missing or wrong.
func (s *section) size(key string, least, most, otherwise int64) int64 {
	t := s.text(key)
	if t == "" {
		return otherwise
	}
	m := sizeText.FindStringSubmatch(t)
	if m == nil {
		s.r.wrong(s.where(key), "write a size as 256MiB or 2GiB", "%s is %q", key, t)
		return otherwise
	}
	var n int64
	_, _ = fmt.Sscan(m[1], &n) // digits
	v := n * map[string]int64{"MB": 1e6, "MiB": 1 << 20, "GB": 1e9, "GiB": 1 << 30}[m[2]]
	if v < least || v > most {
		s.r.wrong(s.where(key), fmt.Sprintf("write from %d MiB to %d GiB", least>>20, most>>30), "%s is %q", key, t)
		return otherwise
	}
	return v
}
