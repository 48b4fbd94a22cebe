// Package influx writes what is known to InfluxDB 2 and 3, to InfluxDB 1, and to what takes their line protocol, as
// VictoriaMetrics does. docs/influxdb.md has the schema.
//
// States are fields and never tags: a change of state starts no new series. Every line bears the time of what it says:
// a component's that of its poll, a verdict's that of the judgement. So a batch that is written twice is one.
package influx

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/export"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// Options say where to write. URL, and Bucket or Database, are required.
type Options struct {
	URL string // http or https, without the path of the API

	// InfluxDB 2 and 3: /api/v2/write.
	Org, Bucket string
	Token       secret.Text

	// InfluxDB 1: /write, used where Database is set. The retention policy is the database's default unless said.
	Database, Retention, User string
	Password                  secret.Text

	TLS     collectors.TLS
	Timeout time.Duration // of one request; 0: 30 s
}

// Writer hands batches of lines to one server. It implements export.Writer.
type Writer struct {
	host  string
	write func(ctx context.Context, lines []byte) error
	close func()
}

// NewWriter checks the options; it dials nothing.
func NewWriter(o Options) (*Writer, error) {
	u, ok := export.ParseURL(o.URL)
	if !ok {
		return nil, errors.New("the URL of an InfluxDB is http://host:8086 or https://host:8086")
	}
	if (o.Bucket == "") == (o.Database == "") {
		return nil, errors.New("an InfluxDB is written to by its bucket (versions 2 and 3) or its database (version 1)")
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = o.TLS.Config(u.Hostname())
	client := &http.Client{Transport: transport, Timeout: o.Timeout}
	w := &Writer{host: u.Host}
	if o.Database != "" {
		w.write, w.close = version1(o, u, client), client.CloseIdleConnections
		return w, nil
	}
	c := influxdb2.NewClientWithOptions(o.URL, o.Token.Reveal(), influxdb2.DefaultOptions().
		SetHTTPClient(client).SetUseGZip(true).SetPrecision(time.Nanosecond).SetApplicationName("sparewatch").SetLogLevel(0))
	w.write, w.close = version2(c.WriteAPIBlocking(o.Org, o.Bucket)), func() { c.Close(); client.CloseIdleConnections() }
	return w, nil
}

// Close gives back the connections.
func (w *Writer) Close() { w.close() }

func version2(a api.WriteAPIBlocking) func(context.Context, []byte) error {
	return func(ctx context.Context, lines []byte) error { return a.WriteRecord(ctx, string(lines)) }
}

// version1 posts to /write, which InfluxDB before 1.8 has alone.
func version1(o Options, base *url.URL, client *http.Client) func(context.Context, []byte) error {
	u := base.JoinPath("write")
	q := url.Values{"db": {o.Database}, "precision": {"ns"}}
	if o.Retention != "" {
		q.Set("rp", o.Retention)
	}
	u.RawQuery = q.Encode()
	return func(ctx context.Context, lines []byte) error {
		var body bytes.Buffer
		z := gzip.NewWriter(&body)
		_, _ = z.Write(lines) // a buffer takes everything
		_ = z.Close()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), &body)
		if err != nil {
			return err
		}
		r.Header.Set("Content-Encoding", "gzip")
		r.Header.Set("Content-Type", "text/plain; charset=utf-8")
		r.Header.Set("User-Agent", "sparewatch")
		if o.User != "" {
			r.SetBasicAuth(o.User, o.Password.Reveal())
		}
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10)) // the status says enough
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
		if answer.StatusCode < 300 {
			return nil
		}
		after, _ := strconv.ParseUint(answer.Header.Get("Retry-After"), 10, 32) // a date, or nothing, is no wish
		return &influxhttp.Error{StatusCode: answer.StatusCode, Message: string(said), Code: answer.Status, RetryAfter: uint(after)}
	}
}

// Write implements export.Writer.
func (w *Writer) Write(ctx context.Context, lines []byte) error {
	refused := &export.RefusedError{}
	if err := w.some(ctx, lines, refused); err != nil {
		return fmt.Errorf("influx %s: %w", w.host, err)
	}
	if refused.Points > 0 {
		return refused
	}
	return nil
}

// some writes lines. Where the server says that it cannot take some of them, halves are tried until those that it
// cannot take stand alone: one bad line costs itself, and some twenty requests.
func (w *Writer) some(ctx context.Context, lines []byte, refused *export.RefusedError) error {
	err := w.write(ctx, lines)
	said, isAnswer := errors.AsType[*influxhttp.Error](err)
	switch {
	case err == nil:
		return nil
	case !isAnswer || said.StatusCode == 0:
		return err
	case said.StatusCode == http.StatusBadRequest && !fault(said), said.StatusCode == http.StatusRequestEntityTooLarge, said.StatusCode == http.StatusUnprocessableEntity:
	default:
		return kind(said)
	}
	first, second := halves(lines)
	if second == nil {
		refused.Points++
		if refused.Why == "" {
			refused.Why = export.Line(said.Error())
		}
		return nil
	}
	if err := w.some(ctx, first, refused); err != nil {
		return err
	}
	return w.some(ctx, second, refused)
}

// fault reports whether a 400 is about the request as a whole and not about a line: an organisation or a bucket that is
// not there, or a token that is not accepted, as some versions say it.
func fault(e *influxhttp.Error) bool {
	text := strings.ToLower(e.Message + " " + e.Code)
	for _, word := range []string{"bucket", "database", "org id", "organization", "orgid", "token", "unauthorized", "retention policy not found"} {
		if strings.Contains(text, word) && !strings.Contains(text, "unable to parse") {
			return true
		}
	}
	return false
}

// kind says what to do about an answer.
func kind(e *influxhttp.Error) error {
	err := error(e)
	switch e.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		err = fmt.Errorf("it refuses our token or password (%d %s): check token_file, and that it may write", e.StatusCode, export.Line(e.Message))
	case http.StatusNotFound, http.StatusBadRequest:
		err = fmt.Errorf("there is no such bucket, organisation or database, or no such path (%d %s): make it, or correct the name", e.StatusCode, export.Line(e.Message))
	default:
		err = fmt.Errorf("status %d: %w", e.StatusCode, err)
	}
	if e.RetryAfter > 0 {
		return &export.BusyError{After: time.Duration(e.RetryAfter) * time.Second, Err: err}
	}
	return err
}

// halves cuts lines in the middle; second is nil where there is but one line.
func halves(lines []byte) (first, second []byte) {
	lines = bytes.TrimRight(lines, "\n")
	middle := len(lines) / 2
	cut := bytes.IndexByte(lines[middle:], '\n')
	if cut >= 0 {
		cut += middle
	} else if cut = bytes.LastIndexByte(lines[:middle], '\n'); cut < 0 {
		return lines, nil
	}
	return lines[:cut+1], lines[cut+1:]
}

var _ export.Writer = (*Writer)(nil)
