package prom

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// peers are what other exporters need for a scrape of one device with so many series (exporter and figures: CPU time for
// each scrape on two cores, the device on loopback; snmp_exporter 0.21 and 0.30.1 and telegraf 1.37.2, if_mib of a switch). They
// ask the device at every scrape; what our polls cost stands in docs/performance.md.
var peers = []struct {
	name string
	cpu  time.Duration
}{{"snmp_exporter 0.21", 13750 * time.Microsecond}, {"snmp_exporter 0.30.1", 13300 * time.Microsecond}, {"telegraf 1.37.2", 17 * time.Millisecond}}

const peersSeries = 1121

// TestBenchProbe prints what a scrape costs, and how long scrapers wait at a thousand of them a second. It asserts no
// time: make bench-export runs it.
func TestBenchProbe(t *testing.T) {
	if os.Getenv("BENCH_EXPORT") == "" {
		t.Skip("skipped: prints figures only (make bench-export)")
	}
	v := fleet(10_000)
	server := httptest.NewServer(Probe(func() View { return v }, at))
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	scrape := func(target string) (series int) {
		answer, err := client.Get(server.URL + "/probe?target=" + target)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%d, %v", answer.StatusCode, err)
		}
		return strings.Count(string(body), "\nsparewatch_")
	}

	const rate, seconds = 1000, 5
	took := make([]time.Duration, rate*seconds)
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range took {
		due := begin.Add(time.Duration(i) * time.Second / rate)
		time.Sleep(time.Until(due)) //nolint:forbidigo // a load has a pace
		wg.Go(func() {
			scrape(v.Devices[i*7919%len(v.Devices)].Name)
			took[i] = time.Since(due) // also what it waited before it was sent
		})
	}
	wg.Wait()
	slices.Sort(took)
	t.Logf("/probe at %d a second for %d s, 10,000 devices, %d series each: p50 %v, p99 %v, worst %v",
		rate, seconds, scrape(v.Devices[0].Name), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])

	// One device with as many series as the peers' switch.
	big := fleet(1).Devices[0]
	for len(big.Parts) < peersSeries/15 {
		p := big.Parts[len(big.Parts)%20]
		p.ID = component.NewID(big.Name, component.Port, string(rune('A'+len(big.Parts)%26))+string(rune('a'+len(big.Parts)/26)))
		big.Parts = append(big.Parts, p)
	}
	v = View{Devices: []*state.Device{big}}
	series := scrape(big.Name)
	const n = 300
	before := cpu()
	for range n {
		scrape(big.Name)
	}
	each := (cpu() - before) / n
	for _, p := range peers {
		theirs := p.cpu * time.Duration(series) / peersSeries
		t.Logf("%d series: %v of processor time a scrape, client included; %s, recorded on a like machine, %v: %.3f of it", series, each, p.name, theirs, float64(each)/float64(theirs))
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
