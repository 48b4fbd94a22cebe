package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

func TestCapacityOnThePage(t *testing.T) {
	at := func(ratio float64) engine.Loading {
		v := component.Value(ratio)
		return engine.Loading{VA: 3000, W: 2900, Amps: 13, Ratio: v, Most: v, Unit: "A", May: 12.8, Rated: 16}
	}
	v := View{Site: "ams1", Now: time.Unix(1_800_000_000, 0), Report: &engine.Report{Settled: true, Capacity: engine.Loads{
		Elements: []engine.Failover{
			{ID: "ams1/feed/feed-c", Kind: component.Feed, Now: at(0.3), After: at(0.6), Lost: "ams1/feed/feed-d"},
			{ID: "ams1/feed/feed-b", Kind: component.Feed, Now: at(0.7), After: at(1.4), Lost: "ams1/feed/feed-a", Trips: true},
		},
		Headroom: []engine.Headroom{{On: []component.ID{"pdu-a/pdu/1", "pdu-b/pdu/1"}, VA: -1200, By: "ams1/feed/feed-b", Lost: "ams1/feed/feed-a"}},
		NotGiven: []string{"1 feed: no rating"},
	}}}
	rec := httptest.NewRecorder()
	Handler(func() View { return v }).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	body := rec.Body.String()
	for _, want := range []string{"✕ trips", "ams1/feed/feed-b", "without <code>ams1/feed/feed-a</code>", "✓ can carry it", "1200 VA too much", "pdu-a/pdu/1 &#43; pdu-b/pdu/1", "1 feed: no rating"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Index(body, "feed-b") > strings.Index(body, "feed-c") {
		t.Error("what trips does not come first")
	}
}
