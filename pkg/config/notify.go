package config

import (
	"net/url"

	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

func (l *loader) takeOutlet(n node) {
	known := []string{"name", "kind", "min_severity", "tls"}
	for _, what := range []string{"url", "routing_key", "secret"} {
		known = append(known, secretKeys(what)...)
	}
	s := l.mapping(n, "an entry of notify", known...)
	o := Outlet{Kind: OutletKind(s.text("kind")), MinSeverity: finding.Warning, TLS: l.tls(s.keys["tls"], "tls of an entry of notify", nil)}
	o.Name = l.name(s.where("name"), "an entry of notify", s.text("name"))
	if before, ok := l.outlets[o.Name]; ok && o.Name != "" {
		l.wrong(s.where("name"), "give one of them another name", "two entries of notify are called %s: also at %s", o.Name, before)
	}
	l.outlets[o.Name] = s.at()
	if v, ok := l.severity(s, "min_severity"); ok {
		o.MinSeverity = v
	}
	switch o.Kind {
	case PagerDuty:
		o.Key = l.wanted(s, "routing_key", "write routing_key_file: FILE; it is the integration key of the PagerDuty service (Events API v2)")
		if n := len(o.Key.Reveal()); n > 0 && n != routingKey {
			l.warn(s.at(), "copy it from the integration (Events API v2) in PagerDuty", "the routing_key of %s has %d characters, those of PagerDuty have %d", o.Name, n, routingKey)
		}
		l.unwanted(s, "secret", "PagerDuty has none")
		if s.has("tls") {
			l.wrong(s.where("tls"), "take it out", "tls is for webhooks; PagerDuty's certificate is verified by the system's authorities")
		}
	case Webhook:
		l.wanted(s, "url", "write url: https://HOST/PATH, or url_file where it holds a secret")
		o.Key = l.secret(s, "secret")
		l.unwanted(s, "routing_key", "a webhook has none")
	default:
		l.wrong(s.where("kind"), didYouMean(string(o.Kind), []string{string(PagerDuty), string(Webhook)}, "write kind: pagerduty or webhook"), "%q is no kind of outlet", o.Kind)
	}
	o.URL = l.outletURL(s)
	if o.TLS.Insecure {
		l.warn(s.where("tls"), "give ca: FILE, or fingerprint", "insecure: anybody in between can read and swallow what is sent to %s", o.Name)
	}
	l.cfg.Notify = append(l.cfg.Notify, o)
}

func (l *loader) wanted(s *section, what, instead string) secret.Text {
	if !l.hasSecret(s, what) {
		l.wrong(s.at(), instead, "%s has no %s", s.title, what)
		return secret.Text{}
	}
	if what == "url" {
		return secret.Text{}
	}
	return l.secret(s, what)
}

func (l *loader) unwanted(s *section, what, why string) {
	if l.hasSecret(s, what) {
		l.wrong(s.at(), "take it out", "%s has a %s, but %s", s.title, what, why)
	}
}

// outletURL reads a URL that may be a secret as a whole: no error shows it. A plain url in a readable file is
// nobody's business unless it says so.
func (l *loader) outletURL(s *section) secret.Text {
	if !l.hasSecret(s, "url") {
		return secret.Text{}
	}
	var text secret.Text
	if s.has("url") && !s.has("url_file") && !s.has("url_env") && !s.has("url_credential") {
		text = secret.New(s.text("url"))
	} else {
		text = l.secret(s, "url")
	}
	if !text.Set() {
		return text
	}
	u, err := url.Parse(text.Reveal())
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || badHost(u.Hostname()) != "" {
		l.wrong(s.where("url"), "write https://HOST[:PORT][/PATH]", "the url of %s is no http or https address", s.title)
		return secret.Text{}
	}
	return text
}

// routingKey is the length of an integration key of the Events API v2.
const routingKey = 32
