package mibs

import "testing"

func TestEmbeddedProfilesLoad(t *testing.T) {
	set, err := Load(nil, Source{"profiles", Embedded()})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Profiles) == 0 {
		t.Fatal("no profiles")
	}
}
