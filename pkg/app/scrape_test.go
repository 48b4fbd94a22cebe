package app

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/api"
)

// hanging is a client that takes nothing of its answer until it is let go.
type hanging struct {
	*httptest.ResponseRecorder
	writing chan struct{} // closed when the answer has begun
	letGo   chan struct{}
	once    sync.Once
}

func (s *hanging) Write(b []byte) (int, error) {
	s.once.Do(func() { close(s.writing) })
	<-s.letGo
	return s.ResponseRecorder.Write(b)
}

// TestAScrapeHoldsUpNoPoll: while scrapers hang in the middle of their answers, devices are polled and judged on, and others
// are answered.
func TestAScrapeHoldsUpNoPoll(t *testing.T) {
	s := newSite(t, "")
	a, _ := s.daemon()
	until(t, a, "the first verdict", func(st *api.Status) bool { return st.Settled })
	letGo := make(chan struct{})
	var ended sync.WaitGroup
	for _, path := range []string{"/metrics", "/probe?target=srv-103", "/sd"} {
		w := &hanging{ResponseRecorder: httptest.NewRecorder(), writing: make(chan struct{}), letGo: letGo}
		ended.Go(func() { a.routes().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil)) })
		<-w.writing
	}
	before := a.metrics()
	until(t, a, "a judgement of later polls", func(*api.Status) bool {
		now := a.metrics()
		return now.Daemon.Polls >= before.Daemon.Polls+10 && now.Report.At.After(before.Report.At)
	})
	if status, _ := get(t, a.URL()+"/metrics"); status != http.StatusOK {
		t.Errorf("another scraper is answered with %d", status)
	}
	close(letGo)
	ended.Wait()
}
