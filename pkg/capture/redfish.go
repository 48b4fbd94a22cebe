package capture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

func captureRedfish(ctx context.Context, u *url.URL, target collectors.Target, scrub *recording.Scrubber, w io.Writer) (Summary, error) {
	if u.User != nil {
		return Summary{}, errors.New("the URL holds a login: give it with --user and --password-file")
	}
	scheme := "https"
	if u.Scheme == "redfish+http" {
		scheme = "http"
	}
	if target.Timeout == 0 {
		target.Timeout = 30 * time.Second
	}
	transport := &http.Transport{TLSClientConfig: target.Credentials.TLS.Config(u.Hostname()), MaxConnsPerHost: 1, TLSHandshakeTimeout: target.Timeout}
	defer transport.CloseIdleConnections()
	c := &crawl{ctx: ctx, base: scheme + "://" + u.Host, credentials: target.Credentials, sum: Summary{Format: recording.Redfish},
		tree: recording.Tree{}, seen: map[string]bool{}, guessed: map[string]bool{}, http: &http.Client{Transport: transport, Timeout: target.Timeout, CheckRedirect: sameHost}}
	c.login()
	defer c.logout()
	if err := c.all(); err != nil {
		return c.sum, fmt.Errorf("read %s: %w", u.Host, err)
	}
	tree, err := scrub.Redfish(c.tree)
	if err != nil {
		return c.sum, err
	}
	c.sum.Items = len(tree)
	return c.sum, recording.WriteRedfish(w, tree)
}

// sameHost follows a redirect only where the login may go too.
func sameHost(r *http.Request, via []*http.Request) error {
	if len(via) > 3 || r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
		return errors.New("it redirects for ever, or elsewhere")
	}
	return nil
}

// crawl follows every link from the service's root, one request at a time.
type crawl struct {
	ctx         context.Context
	base        string
	http        *http.Client
	credentials collectors.Credentials
	token, made string // of the session, where there is one
	sum         Summary
	tree        recording.Tree
	seen        map[string]bool
	guessed     map[string]bool // nothing links there: that they aren't there is no loss
	bytes       int64
}

const rootPath = "/redfish/v1"

// leaveOut are parts of paths that are not asked for: they hold nothing of the hardware (accounts, logs, jobs,
// schemas), or hold what is private by nature.
var leaveOut = regexp.MustCompile(`(?i)/(Registries|JsonSchemas|Schemas|AccountService|RemoteAccountService|Accounts|Roles|SessionService|Sessions|CertificateService|Certificates|` +
	`LogServices?|LogEntries|Entries|Logs|EventService|Subscriptions|EventDestinations|TaskService|Tasks|JobService|Jobs|UpdateService|TelemetryService|KeyService|LicenseService|ComponentIntegrity|` +
	`Bios|SecureBoot|SecureBootDatabases|BootOptions|Actions|ActionInfo|VirtualMedia|HostInterfaces|GraphicalConsole|NetworkProtocol|FederationGroups|FederationPeers|` +
	`DiagnosticService|ActiveHealthSystem|BackupRestoreService|SecurityService|SnmpService|DateTime|ResourceDirectory|Dump|LocalConsole|Attributes|DellAttributes)(/|$|\?)|[$]metadata|/odata$`)

// restarts are resources that restart a BMC when they are read: an iDRAC's members of Chassis that stand for RAID
// enclosures (bb-Ricardo check_redfish, cr_module/classes/redfish.py).
var restarts = regexp.MustCompile(`^/redfish/v1/Chassis/(Enclosure\.|RAID\.|[^/]*:RAID\.)`)

func (c *crawl) all() error {
	queue := []string{rootPath}
	c.seen[rootPath] = true
	inARow := 0
	for len(queue) > 0 && len(c.tree) < maxItems && c.bytes < maxBytes {
		at := queue[0]
		queue = queue[1:]
		body, err := c.get(at)
		var refused *statusError
		switch {
		case err == nil:
			inARow = 0
		case c.ctx.Err() != nil:
			return c.ctx.Err()
		case at == rootPath:
			return err
		case errors.As(err, &refused) && refused.status == http.StatusUnauthorized && len(c.tree) <= 1:
			return fmt.Errorf("%w: give --user and --password-file", err)
		default:
			if !errors.As(err, &refused) {
				if inARow++; inARow >= maxInARow {
					return fmt.Errorf("it fell silent at %s: %w", at, err)
				}
			}
			queue = append(queue, c.usual(at)...)
			if c.guessed[at] {
				continue
			}
			if err := c.sum.miss(at, err); err != nil {
				return err
			}
			continue
		}
		var v any
		if json.Unmarshal(body, &v) != nil {
			if err := c.sum.miss(at, errors.New("the answer is no JSON")); err != nil {
				return err
			}
			continue
		}
		c.tree[at] = body
		queue = append(queue, c.links(v)...)
		queue = append(queue, c.misled(at, v)...)
	}
	if len(queue) > 0 {
		c.sum.Missing = append(c.sum.Missing, Missing{queue[0], fmt.Errorf("the service has more than may be recorded; %d resources were not read", len(queue))})
	}
	return nil
}

// links returns the links in a body that were not followed yet.
func (c *crawl) links(v any) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			inner := v[k]
			if link, ok := inner.(string); ok && (k == "@odata.id" || strings.HasSuffix(k, "@odata.nextLink")) {
				if at, ok := c.wanted(link); ok {
					out = append(out, at)
				}
				continue
			}
			out = append(out, c.links(inner)...)
		}
	case []any:
		for _, inner := range v {
			out = append(out, c.links(inner)...)
		}
	}
	return out
}

// usual are the members that services with one machine have, for a collection that the root links to and that answers
// nothing (recordings lenovo-sr850-xcc-2.10, huawei-2288h-v5).
func (c *crawl) usual(collection string) (out []string) {
	names := map[string][]string{
		rootPath + "/Systems":  {"1", "Self", "System.Embedded.1", "system"},
		rootPath + "/Chassis":  {"1", "Self", "System.Embedded.1", "chassis"},
		rootPath + "/Managers": {"1", "Self", "iDRAC.Embedded.1", "bmc"},
	}
	for _, name := range names[collection] {
		out = c.guess(out, collection+"/"+name)
	}
	return out
}

// misled are the usual places of a chassis's parts where its links of their names lead elsewhere (recording
// dmtf-public-power-shelf: PowerSubsystem links to Sensors).
func (c *crawl) misled(at string, v any) (out []string) {
	body, _ := v.(map[string]any)
	for _, name := range []string{"Power", "Thermal", "PowerSubsystem", "ThermalSubsystem"} {
		part, _ := body[name].(map[string]any)
		if link, ok := part["@odata.id"].(string); ok && strings.HasPrefix(at, rootPath+"/Chassis/") && recording.CleanPath(link) != at+"/"+name {
			out = c.guess(out, at+"/"+name)
		}
	}
	return out
}

func (c *crawl) guess(out []string, at string) []string {
	if c.seen[at] {
		return out
	}
	c.seen[at], c.guessed[at] = true, true
	return append(out, at)
}

func (c *crawl) wanted(link string) (string, bool) {
	at := recording.CleanPath(link)
	if !strings.HasPrefix(at, rootPath+"/") || c.seen[at] {
		return "", false
	}
	c.seen[at] = true
	if leaveOut.MatchString(strings.TrimPrefix(at, rootPath)) || restarts.MatchString(at) {
		c.sum.LeftOut++
		return "", false
	}
	return at, true
}

// statusError is an answer that is no resource.
type statusError struct{ status int }

func (e *statusError) Error() string {
	return fmt.Sprintf("it answers %d %s", e.status, http.StatusText(e.status))
}

const (
	maxBody  = 32 << 20
	maxTries = 4
	maxPause = 30 * time.Second
)

// get reads one resource. A service that is busy is asked again when it says.
func (c *crawl) get(at string) (json.RawMessage, error) {
	for try := 1; ; try++ {
		res, body, err := c.send(http.MethodGet, at, nil)
		if err != nil {
			return nil, err
		}
		switch {
		case res.StatusCode == http.StatusOK:
			return body, nil
		case (res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusTooManyRequests) && try < maxTries:
			seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // without one: at once is too soon
			if err := c.pause(min(max(time.Duration(seconds)*time.Second, time.Second), maxPause)); err != nil {
				return nil, err
			}
		default:
			return nil, &statusError{res.StatusCode}
		}
	}
}

func (c *crawl) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

func (c *crawl) send(method, at string, body []byte) (*http.Response, json.RawMessage, error) {
	r, err := http.NewRequestWithContext(c.ctx, method, c.base+at, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("OData-Version", "4.0")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	switch {
	case c.token != "":
		r.Header.Set("X-Auth-Token", c.token)
	case c.credentials.User != "" && method != http.MethodPost:
		r.SetBasicAuth(c.credentials.User, c.credentials.Password.Reveal())
	}
	c.sum.Requests++
	res, err := c.http.Do(r)
	if err != nil {
		var wrong *url.Error
		if errors.As(err, &wrong) {
			err = wrong.Err // the URL is in the sentence around it already
		}
		return nil, nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	c.bytes += int64(len(got))
	if err == nil && len(got) > maxBody {
		err = fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)
	}
	return res, got, err
}

// login makes a session where there is a user. A service that makes none is read with basic authentication.
func (c *crawl) login() {
	if c.credentials.User == "" {
		return
	}
	at := rootPath + "/SessionService/Sessions"
	if _, body, err := c.send(http.MethodGet, rootPath, nil); err == nil {
		var root struct {
			Links struct {
				Sessions struct {
					ID string `json:"@odata.id"`
				}
			}
		}
		if json.Unmarshal(body, &root) == nil && root.Links.Sessions.ID != "" {
			at = root.Links.Sessions.ID
		}
	}
	login, err := json.Marshal(map[string]string{"UserName": c.credentials.User, "Password": c.credentials.Password.Reveal()})
	if err != nil {
		return
	}
	res, _, err := c.send(http.MethodPost, at, login)
	if err != nil || res.StatusCode != http.StatusCreated {
		return
	}
	c.token = res.Header.Get("X-Auth-Token")
	if made, err := url.Parse(res.Header.Get("Location")); err == nil {
		c.made = made.Path
	}
}

// logout gives the session back; BMCs have few.
func (c *crawl) logout() {
	if c.token == "" || c.made == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), 10*time.Second)
	defer cancel()
	c.ctx = ctx
	_, _, _ = c.send(http.MethodDelete, c.made, nil) // it ends by itself after a while
}
