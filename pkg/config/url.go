package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/secret"
)

// scheme is what is known of a URL scheme without its collector.
type scheme struct {
	port string // the usual one
	// login: it may need a user and a password; plain: they would travel unencrypted.
	login, plain bool
	snmp         bool
	tls          bool
	path         bool // the collector gives its path and query a meaning
}

var schemes = map[string]scheme{
	"redfish":      {port: "443", login: true, tls: true},
	"redfish+http": {port: "80", login: true, plain: true},
	"ipmi":         {port: "623", login: true},
	"snmp":         {port: "161", snmp: true},
	"bgp":          {port: "179", path: true},
	"bmp":          {path: true},
	"gobgp":        {port: "50051"},
	"gobgp+tls":    {port: "50051", tls: true},
}

var schemeOrder = []string{"redfish", "redfish+http", "snmp", "ipmi", "bgp", "bmp", "gobgp", "gobgp+tls"}

// target is a target's URL, taken apart.
type target struct {
	url       string // clean: without login, lower-case, without the usual port
	scheme    string
	host      string // without brackets
	port      string // "" where it is the usual one
	community secret.Text
}

// parseTarget reads one URL. why and instead say what is wrong with it; neither shows a password.
func (l *loader) parseTarget(raw string) (t target, why, instead string) {
	known := l.o.Schemes
	if known == nil {
		known = schemeOrder
	}
	u, err := url.Parse(raw)
	name, _, hasScheme := strings.Cut(raw, "://")
	info, ok := schemes[strings.ToLower(name)]
	switch {
	case !hasScheme:
		return t, fmt.Sprintf("%q is no URL", withoutLogin(raw)), "write redfish://HOST, snmp://HOST or ipmi://HOST"
	case strings.EqualFold(name, "https") || strings.EqualFold(name, "http"):
		return t, fmt.Sprintf("%q says how to talk, but not what the device speaks", withoutLogin(raw)), "write redfish://HOST (redfish+http://HOST where it has no TLS)"
	case !ok:
		return t, fmt.Sprintf("there is no scheme %s://", name), didYouMean(name, known, "write "+oneOf(suffixed(known, "://")))
	case !slices.Contains(known, strings.ToLower(name)):
		return t, fmt.Sprintf("this version does not read %s://", strings.ToLower(name)), "write " + oneOf(suffixed(known, "://"))
	case cidr.MatchString(raw):
		return t, fmt.Sprintf("%q is a network, but a URL names one device", withoutLogin(raw)), "write a range, as " + strings.ToLower(name) + "://10.0.0.[1-254]"
	case err != nil:
		return t, fmt.Sprintf("%q is no URL", withoutLogin(raw)), "write " + strings.ToLower(name) + "://HOST[:PORT], an IPv6 address in [ ]"
	}
	t.scheme, t.host, t.port = strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if why := badHost(t.host); why != "" {
		instead = "write " + t.scheme + "://HOST[:PORT]"
		if strings.Contains(t.host, ":") {
			instead += ", an IPv6 address in [ ]"
		}
		return t, fmt.Sprintf("the host of %q %s", withoutLogin(raw), why), instead
	}
	if p, err := strconv.Atoi(t.port); t.port != "" && (err != nil || p < 1 || p > 65535) {
		return t, fmt.Sprintf("the port of %q is not from 1 to 65535", withoutLogin(raw)), "write " + t.scheme + "://HOST[:PORT]"
	}
	if !info.path && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		return t, fmt.Sprintf("%q goes on after the host", withoutLogin(raw)), "write only " + t.scheme + "://HOST[:PORT]"
	}
	if u.User != nil && !info.snmp {
		return t, fmt.Sprintf("%q holds a login", withoutLogin(raw)), "write it under credentials, the password in a file"
	}
	if u.User != nil {
		if _, more := u.User.Password(); more {
			return t, fmt.Sprintf("%q holds a user and a password", withoutLogin(raw)), "write them under credentials as v3"
		}
		t.community = secret.New(u.User.Username())
	}
	t.url = clean(u, t, info)
	if t.port == info.port {
		t.port = ""
	}
	return t, "", ""
}

// clean is the URL without login, in lower case, without the usual port.
func clean(u *url.URL, t target, info scheme) string {
	host := t.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if t.port != "" && t.port != info.port {
		host += ":" + t.port
	}
	out := url.URL{Scheme: t.scheme, Host: host}
	if info.path {
		out.Path, out.RawQuery = strings.TrimSuffix(u.Path, "/"), u.RawQuery
	}
	return out.String()
}

// TLSAddress is where a target's certificate is to be had, as host:port; ok is false where its scheme has none.
func TLSAddress(target string) (address string, ok bool) {
	u, err := url.Parse(target)
	if err != nil || !schemes[u.Scheme].tls {
		return "", false
	}
	port := u.Port()
	if port == "" {
		port = schemes[u.Scheme].port
	}
	return net.JoinHostPort(u.Hostname(), port), true
}

// cidr is an address with a prefix length: 10.0.0.0/24, [fd00::]/64.
var cidr = regexp.MustCompile(`://(?:[^/@]*@)?(?:[0-9.]+|\[?[0-9A-Fa-f:]+\]?)/[0-9]{1,3}$`)

// withoutLogin hides what stands before the @ of a URL, also of one that cannot be parsed.
func withoutLogin(s string) string {
	if i := strings.LastIndex(s, "@"); i >= 0 {
		from := 0
		if j := strings.Index(s, "://"); j >= 0 && j < i {
			from = j + 3
		}
		return s[:from] + "<secret>" + s[i:]
	}
	return s
}

var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$`)

var dotted = regexp.MustCompile(`^[0-9.]+$`)

// badHost says what is wrong with a host; "" where it is an address or may be a name.
func badHost(host string) string {
	if host == "" {
		return "is missing"
	}
	if strings.Contains(host, ":") {
		if _, err := netip.ParseAddr(host); err != nil {
			return "is no IPv6 address"
		}
		return ""
	}
	if dotted.MatchString(host) {
		if net.ParseIP(host) == nil {
			return "is no IPv4 address"
		}
		return ""
	}
	if len(host) > 253 || !hostName.MatchString(strings.ToLower(host)) {
		return "is no host name"
	}
	return ""
}

func suffixed(in []string, suffix string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = s + suffix
	}
	return out
}
