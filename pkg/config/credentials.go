package config

import (
	"crypto/x509"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// credential is a named set of secrets, as read.
type credential struct {
	collectors.Credentials
	at   place
	used bool
	// where it was said, for warnings; zero where it wasn't.
	insecure, oldTLS place
}

func (l *loader) takeCredentials(n node) {
	s := l.freeMapping(n, "credentials")
	for _, name := range s.names() {
		at := place{s.file, s.lines[name]}
		if l.name(at, "a credential", name) == "" {
			continue
		}
		if before, ok := l.credentials[name]; ok {
			l.wrong(at, "give one of them another name", "the credential %s is there twice: also at %s", name, before.at)
			continue
		}
		if s.keys[name].null() {
			l.wrong(at, "write user and password_file, community_file, or v3 under it", "the credential %s is empty", name)
		}
		l.credentials[name] = l.credential(s.keys[name], name, at)
	}
}

func (l *loader) credential(n node, name string, at place) *credential {
	known := []string{"user", "allow_clear_password", "version", "v3", "tls"}
	known = append(known, secretKeys("password")...)
	known = append(known, secretKeys("community")...)
	s := l.mapping(n, "the credential "+name, known...)
	c := &credential{at: at}
	c.Name = name
	c.User = s.text("user")
	c.Password = l.secret(s, "password")
	if c.AllowClearPassword = s.yes("allow_clear_password"); c.AllowClearPassword {
		l.warn(s.where("allow_clear_password"), "take it out where the BMCs know MD5 or IPMI 2.0", "allow_clear_password: anybody on the way to an IPMI 1.5 BMC can read the password of %s", name)
	}
	c.Community = l.secret(s, "community")
	if c.User != "" && !l.hasSecret(s, "password") {
		l.wrong(at, "write password_file: FILE, or password_env, password_credential or password", "the credential %s has a user but no password", name)
	}
	if c.User == "" && l.hasSecret(s, "password") {
		l.wrong(at, "write user: NAME", "the credential %s has a password but no user", name)
	}
	c.V3 = l.v3(s.keys["v3"], name)
	c.Version = l.version(s, c.V3.User != "")
	c.TLS = l.tls(s.keys["tls"], "tls of "+name, c)
	return c
}

// version is SNMP's.
func (l *loader) version(s *section, v3 bool) string {
	switch v := s.text("version"); {
	case v == "" && v3:
		return "3"
	case v == "":
		return ""
	case v == "3" && !v3:
		l.wrong(s.where("version"), "write v3: {user: ..., auth: SHA-256, auth_key_file: ...}", "SNMP version 3 needs a user")
	case v3 && v != "3":
		l.wrong(s.where("version"), "take one of them out", "version is %s, but v3 is given too", v)
	case v != "1" && v != "2c" && v != "3":
		l.wrong(s.where("version"), `write "1", 2c or "3"`, "version is %q", v)
	default:
		return v
	}
	return ""
}

var (
	authProtocols = []string{"MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"}
	privProtocols = []string{"DES", "AES", "AES-192", "AES-256"}
)

func (l *loader) v3(n node, name string) (v collectors.V3) {
	if n.null() {
		return v
	}
	known := []string{"user", "auth", "priv", "context"}
	known = append(known, secretKeys("auth_key")...)
	known = append(known, secretKeys("priv_key")...)
	s := l.mapping(n, "v3 of "+name, known...)
	v.User, v.Context = s.text("user"), s.text("context")
	if v.User == "" {
		l.wrong(s.at(), "write user: NAME", "v3 of %s has no user", name)
	}
	v.AuthProtocol, v.AuthKey = l.v3Key(s, "auth", authProtocols)
	v.PrivProtocol, v.PrivKey = l.v3Key(s, "priv", privProtocols)
	switch {
	case v.PrivProtocol != "" && v.AuthProtocol == "":
		l.wrong(s.where("priv"), "write auth and auth_key_file too", "v3 of %s encrypts without authenticating, which SNMPv3 cannot", name)
	case v.AuthProtocol == "" && v.User != "":
		l.warn(s.at(), "write auth and auth_key_file", "v3 of %s does not authenticate: anybody can answer for the device", name)
	case v.AuthProtocol == "MD5" || v.PrivProtocol == "DES":
		l.warn(s.at(), "use SHA-256 and AES where the device can", "v3 of %s uses %s, which is broken", name, oneOf(brokenOf(v)))
	}
	return v
}

func brokenOf(v collectors.V3) (broken []string) {
	if v.AuthProtocol == "MD5" {
		broken = append(broken, "MD5")
	}
	if v.PrivProtocol == "DES" {
		broken = append(broken, "DES")
	}
	return broken
}

// v3Key reads a protocol and its key: "auth" with "auth_key...", "priv" with "priv_key...".
func (l *loader) v3Key(s *section, what string, protocols []string) (string, secret.Text) {
	key := l.secret(s, what+"_key")
	written := s.text(what)
	if written == "" {
		if l.hasSecret(s, what+"_key") {
			l.wrong(s.at(), "write "+what+": "+protocols[len(protocols)/2], "%s has %s_key but no %s protocol", s.title, what, what)
		}
		return "", secret.Text{}
	}
	protocol := ""
	for _, p := range protocols {
		if strings.EqualFold(bare(p), bare(written)) {
			protocol = p
		}
	}
	switch {
	case protocol == "":
		l.wrong(s.where(what), "write "+oneOf(protocols), "%s is %q", what, written)
	case !l.hasSecret(s, what+"_key"):
		l.wrong(s.where(what), "write "+what+"_key_file: FILE", "%s has %s: %s, but no %s_key", s.title, what, protocol, what)
	case key.Set() && len(key.Reveal()) < 8:
		l.wrong(s.where(what), "use the key that the device was given: 8 letters or more", "the %s_key of %s is shorter than SNMPv3 allows", what, s.title)
	}
	return protocol, key
}

// bare compares SHA256, sha-256 and SHA_256 as one; AES128 and AES are the same.
func bare(s string) string {
	s = strings.NewReplacer("-", "", "_", "").Replace(strings.ToUpper(s))
	switch s {
	case "AES128":
		return "AES"
	case "SHA1":
		return "SHA"
	}
	return s
}

var envName = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

var hexFingerprint = regexp.MustCompile(`^[0-9a-f]{64}$`)

// tls reads how certificates are verified. c, where it is not nil, remembers what has to be warned about.
func (l *loader) tls(n node, title string, c *credential) (t collectors.TLS) {
	if n.null() {
		return t
	}
	s := l.mapping(n, title, "fingerprint", "ca", "insecure", "allow_tls10")
	t.Insecure, t.AllowTLS10 = s.yes("insecure"), s.yes("allow_tls10")
	if f := s.text("fingerprint"); f != "" {
		if t.Fingerprint = normalFingerprint(f); t.Fingerprint == "" {
			l.wrong(s.where("fingerprint"), "write the SHA-256 of the certificate, 64 hexadecimal digits; check --pin prints it", "fingerprint is %q", f)
		}
	}
	if file := l.path(s.text("ca"), s.file); file != "" {
		t.CA = l.authority(s.where("ca"), file)
	}
	if t.Insecure && (t.Fingerprint != "" || t.CA != nil) {
		l.wrong(s.where("insecure"), "take insecure out", "%s says how certificates are verified, and that they aren't", title)
	}
	if t.Fingerprint != "" && t.CA != nil {
		l.wrong(s.where("ca"), "take one of them out", "%s has both a ca and a fingerprint; a pinned certificate is not looked up", title)
	}
	if c != nil && t.Insecure {
		c.insecure = s.where("insecure")
	}
	if c != nil && t.AllowTLS10 {
		c.oldTLS = s.where("allow_tls10")
	}
	return t
}

// normalFingerprint is 64 lower-case hex digits; "" where f is no SHA-256.
func normalFingerprint(f string) string {
	f = strings.ToLower(f)
	f = strings.TrimPrefix(strings.TrimPrefix(f, "sha256:"), "sha-256:")
	f = strings.NewReplacer(":", "", " ", "").Replace(f)
	if _, err := hex.DecodeString(f); err != nil || !hexFingerprint.MatchString(f) {
		return ""
	}
	return f
}

func (l *loader) authority(at place, file string) *x509.CertPool {
	data, mistake := readFile(file, maxFile)
	if mistake != nil {
		l.wrong(at, mistake.Instead, "ca %s: %s", file, mistake.What)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		l.wrong(at, "give the authority's certificate in PEM (-----BEGIN CERTIFICATE-----)", "ca %s holds no certificate", file)
		return nil
	}
	return pool
}

// secretKeys are the keys by which a secret may be given.
func secretKeys(what string) []string {
	return []string{what, what + "_file", what + "_env", what + "_credential"}
}

func (l *loader) hasSecret(s *section, what string) bool {
	for _, key := range secretKeys(what) {
		if s.has(key) {
			return true
		}
	}
	return false
}

// maxSecret bounds a file that holds one.
const maxSecret = 64 << 10

// secret reads a secret from where it is said to be. No error shows it.
func (l *loader) secret(s *section, what string) secret.Text {
	from := ""
	for _, key := range secretKeys(what) {
		if !s.has(key) {
			continue
		}
		if from != "" {
			l.wrong(s.where(key), "take one of them out", "%s has both %s and %s", s.title, from, key)
			return secret.Text{}
		}
		from = key
	}
	switch strings.TrimPrefix(from, what) {
	case "":
		if from == "" {
			return secret.Text{}
		}
		l.warnReadable(s.where(from), s.file, "it holds secrets, as this "+what+",")
		return l.filled(s, from, s.text(from))
	case "_env":
		name := s.text(from)
		// What is no usual name may be the secret itself: it is not shown.
		if !envName.MatchString(name) {
			l.wrong(s.where(from), "write the variable's name only, as SPAREWATCH_PASSWORD", "%s does not name an environment variable", from)
			return secret.Text{}
		}
		v := l.o.Getenv(name)
		if v == "" {
			l.wrong(s.where(from), "set it for the user that runs sparewatch", "the environment has no %s", name)
		}
		return secret.New(v)
	case "_credential":
		return l.systemdSecret(s, from)
	}
	return l.secretFile(s, from, l.path(s.text(from), s.file))
}

func (l *loader) filled(s *section, key, v string) secret.Text {
	if v == "" {
		l.wrong(s.where(key), "write it, or take the key out", "%s of %s is empty", key, s.title)
	}
	return secret.New(v)
}

// systemdSecret reads a credential of systemd's LoadCredential= (systemd.exec(5), "Credentials").
func (l *loader) systemdSecret(s *section, key string) secret.Text {
	name, dir := s.text(key), l.o.Getenv("CREDENTIALS_DIRECTORY")
	switch {
	case dir == "":
		l.wrong(s.where(key), "write LoadCredential="+name+":/path in the unit", "there are no systemd credentials here ($CREDENTIALS_DIRECTORY is not set)")
		return secret.Text{}
	case name != filepath.Base(name) || name == "." || name == "..":
		l.wrong(s.where(key), "write the name that LoadCredential= gives it", "%s is %q, which is no name of a credential", key, name)
		return secret.Text{}
	}
	return l.secretFile(s, key, filepath.Join(dir, name))
}

func (l *loader) secretFile(s *section, key, file string) secret.Text {
	data, mistake := readFile(file, maxSecret)
	if mistake != nil {
		l.wrong(s.where(key), mistake.Instead, "%s %s: %s", key, file, mistake.What)
		return secret.Text{}
	}
	l.warnReadable(s.where(key), file, file+" holds a secret")
	v := strings.TrimRight(string(data), "\r\n")
	switch {
	case v == "":
		l.wrong(s.where(key), "put the secret in it, on one line", "%s %s is empty", key, file)
	case strings.ContainsAny(v, "\r\n\x00"):
		l.wrong(s.where(key), "put the secret in it, on one line, and nothing else", "%s %s holds more than one line", key, file)
	}
	return secret.New(v)
}

// warnReadable warns, once of each file, where a file with a secret may be read by everybody.
func (l *loader) warnReadable(at place, file, what string) {
	info, err := os.Stat(file)
	if err == nil && info.Mode().Perm()&worldReadable != 0 && !l.readable[file] {
		l.readable[file] = true
		l.warn(at, "chmod o-r "+file, "%s and may be read by everybody on this host", what)
	}
}

const worldReadable fs.FileMode = 0o004
