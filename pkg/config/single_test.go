package config

import (
	"strings"
	"testing"
)

func TestSingle(t *testing.T) {
	got, err := Single("SNMP://hidden@PDU-1:1161", Options{})
	if err != nil || got.Device != "pdu-1" || got.URL != "snmp://pdu-1:1161" || got.Credentials.Community.Reveal() != "hidden" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, raw := range []string{"10.0.0.1", "https://10.0.0.1", "redfish://root:calvin@10.0.0.1", "redfish://10.0.0.1/x", "gopher://x", ""} {
		_, err := Single(raw, Options{})
		if err == nil || strings.Contains(err.Error(), "calvin") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
