package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/engine"
)

// Client asks a daemon. The zero HTTP client is http.DefaultClient's.
type Client struct {
	URL  string // http://127.0.0.1:9620
	HTTP *http.Client
}

// UnreachableError says that no daemon answers.
type UnreachableError struct {
	URL string
	Err error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no daemon answers at %s: %v", e.URL, e.Err)
}
func (e *UnreachableError) Unwrap() error { return e.Err }

// Status asks for everything.
func (c Client) Status(ctx context.Context) (*Status, error) {
	var s Status
	return &s, c.get(ctx, "/api/v1/status", nil, &s)
}

// Simulate asks what would be lost if these failed.
func (c Client) Simulate(ctx context.Context, fail []string) (*engine.Simulation, error) {
	var s engine.Simulation
	return &s, c.get(ctx, "/api/v1/simulate", url.Values{"fail": fail}, &s)
}

// Gate asks whether these may be taken down now.
func (c Client) Gate(ctx context.Context, fail []string, strict bool) (*engine.Gate, error) {
	q := url.Values{"fail": fail}
	if strict {
		q.Set("strict", "1")
	}
	var g engine.Gate
	return &g, c.get(ctx, "/api/v1/gate", q, &g)
}

// Cuts asks for the minimal cut sets of a service, group or component.
func (c Client) Cuts(ctx context.Context, of string, order, limit int) (*engine.CutSets, error) {
	var s engine.CutSets
	return &s, c.get(ctx, "/api/v1/cuts", url.Values{"of": {of}, "order": {strconv.Itoa(order)}, "limit": {strconv.Itoa(limit)}}, &s)
}

// Capacity asks what single failures (order 1), or pairs too (2), do to what carries load.
func (c Client) Capacity(ctx context.Context, order, limit int) (*engine.CapacityReport, error) {
	var s engine.CapacityReport
	return &s, c.get(ctx, "/api/v1/capacity", url.Values{"order": {strconv.Itoa(order)}, "limit": {strconv.Itoa(limit)}}, &s)
}

// largest answer that is read: ten thousand devices with their groups and findings, several times over.
const largest = 512 << 20

func (c Client) get(ctx context.Context, path string, q url.Values, into any) error {
	base, err := url.Parse(strings.TrimRight(c.URL, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return fmt.Errorf("%q is no address of a daemon: write http://host:port", c.URL)
	}
	u := *base
	u.Path += path
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	res, err := h.Do(req)
	if err != nil {
		return &UnreachableError{URL: base.Redacted(), Err: reason(err)}
	}
	defer res.Body.Close() //nolint:errcheck // nothing is lost
	body, err := io.ReadAll(io.LimitReader(res.Body, largest))
	if err != nil {
		return &UnreachableError{URL: base.Redacted(), Err: reason(err)}
	}
	if res.StatusCode != http.StatusOK {
		return problem(base, res.Status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("what answers at %s is no sparewatch daemon, or another version: %w", base.Redacted(), err)
	}
	return nil
}

// reason leaves the method and the URL out of an HTTP client's error.
func reason(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

func problem(base *url.URL, status string, body []byte) error {
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Error == "" {
		return fmt.Errorf("what answers at %s is no sparewatch daemon: it says %s", base.Redacted(), status)
	}
	return errors.New(p.Error)
}
