package snmp_test

import (
	"context"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// TestSweepRecordings: what a recorded device says when it is swept is what it said when it was walked.
func TestSweepRecordings(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS to their folder")
	}
	var files []string
	err := filepath.WalkDir(filepath.Join(dir, "snmp"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.HasSuffix(p, ".snmprec") || strings.HasSuffix(p, ".snmpwalk")) {
			files = append(files, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var tried, swept, walked, again, states int
	for _, file := range files {
		name := strings.TrimPrefix(file, dir)
		rec, err := recording.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		server, err := lab.ServeSNMP("127.0.0.1:0", &lab.Agent{Objects: lab.NewObjects(rec.SNMP)})
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, server.URL(), "2c")
		first := s.Poll(context.Background(), collectors.Full)
		for _, scope := range []collectors.Scope{collectors.Full, collectors.Fast, collectors.Full} {
			sn := s.Poll(context.Background(), scope)
			if !reflect.DeepEqual(first.Components, sn.Components) || !reflect.DeepEqual(first.Claims, sn.Claims) || !reflect.DeepEqual(first.Links, sn.Links) ||
				!reflect.DeepEqual(first.Device, sn.Device) || !reflect.DeepEqual(first.Errors, sn.Errors) {
				t.Errorf("%s: poll %v says otherwise than the first", name, scope)
				break
			}
			if scope == collectors.Fast {
				states += sn.Requests
			} else {
				again += sn.Requests
			}
			if scope == collectors.Full && sn.Requests < first.Requests {
				swept++
			} else if scope == collectors.Full {
				t.Logf("%s: %d packets, %d at first", name, sn.Requests, first.Requests)
			}
		}
		tried, walked = tried+1, walked+first.Requests
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d recordings: %d packets walked, %d swept, %d for the states; %d of %d polls took fewer packets than the walk", tried, walked, again/2, states, swept, 2*tried)
}
